"""The doors of the web server that are no pages: documents handed in over HTTP, and the two health answers."""

from collections.abc import Mapping, Sequence

import psycopg
import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub import access, answers, arrivals, doorbell, doors, health, ids, inbox, machines
from hub import metrics as figures
from hub.arrivals import Arrival
from hub.backlog import Backlog
from hub.errors import NotAllowed, Transient
from hub.models import Endpoint

log = structlog.get_logger(__name__)
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
ER7 = "x-application/hl7-v2+er7"
MEDIA_TYPES = frozenset({ER7, "application/hl7-v2+er7", "text/plain", "application/octet-stream"})
RETRY_AFTER_S = 5
BY_WEIGHT = (200, 422, 409)  # of several messages the last of these counts: somebody has to look
_backlog = Backlog()


class _Problem(Exception):
    """An answer on its way out: the request ends here, with a problem document."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


@csrf_exempt  # called by machines with a key in a header; no cookie is read, so there is nothing to forge
@login_not_required  # the key is the identity; a login page would be a wrong answer to a machine
@require_POST
def receive(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /in/<endpoint code>`: the same bytes as over MLLP, without framing; answers with the acknowledgements."""
    try:
        return _receive(request, code)
    except _Problem as problem:
        return _problem(request, problem)
    except AWAY as error:
        connection.close()
        log.error("http_door_database_away", endpoint=code, error=type(error).__name__)
        return _problem(request, _later("IF_AWAY", "Nothing was stored; send it again later."))
    except Transient as error:  # nothing was acknowledged; what was stored is known again when it comes again
        return _problem(request, _later(error.code, error.text))


def _later(code: str, text: str) -> _Problem:
    return _Problem(503, code, text, {"Retry-After": str(RETRY_AFTER_S)})


def _receive(request: HttpRequest, code: str) -> HttpResponse:
    endpoint = _endpoint(request, code)
    body = _body(request)
    terms = doors.terms(endpoint)
    peer = doors.Peer(request.META.get("REMOTE_ADDR", ""))
    found = arrivals.look(body, doors.Entrance((terms,)), peer, request.headers)
    if not found:
        raise _Problem(422, "IF_PARSE", "The body holds no message.")
    _backlog.refresh()
    if endpoint.draining_since is not None or _backlog.over(endpoint.pk):
        return _busy(request, found)
    receipts = inbox.receive(found, now=timezone.now())
    doorbell.work.press()
    outcome = [(one.arrival, one.answer, one.replies()) for one in receipts]
    if all(arrival.envelope is None for arrival, _, _ in outcome):
        text = "Stored as evidence and refused: not even an MSH segment can be read."
        raise _Problem(422, "IF_PARSE", text)
    status = max((_status(answer) for _, answer, _ in outcome), key=BY_WEIGHT.index)
    return HttpResponse(b"".join(ack for _, _, replies in outcome for ack in replies), status=status, content_type=ER7)


def _status(answer: str) -> int:
    """The HTTP status of one message's answer."""
    if answer == answers.STORED:
        return 200
    return 409 if answer == doors.CONFLICT.answer else 422


def _endpoint(request: HttpRequest, code: str) -> Endpoint:
    """The endpoint, once it is known that the caller may use it. Who may not, does not learn whether it exists."""
    try:
        actor = machines.authenticate(request.headers.get("Authorization", ""))
    except NotAllowed as error:
        raise _Problem(401, error.code, error.text, {"WWW-Authenticate": 'Bearer realm="throughline"'}) from None
    endpoint = (
        Endpoint.objects.select_related("partner")
        .filter(code=code, direction="in", transport="http", active=True, partner__active=True)
        .first()
    )
    try:
        machines.require_scope(actor, f"in.{code}")
        access.require(actor, "hub.post_inbound", facility=endpoint.facility if endpoint else None)
    except NotAllowed as error:
        raise _Problem(403, error.code, error.text) from None
    if endpoint is None:
        raise _Problem(404, "IF_NO_DOOR", f"There is no active HTTP endpoint called {code}.")
    if not doors.terms(endpoint).admits(request.META.get("REMOTE_ADDR", "")):
        raise _Problem(403, "ACCESS_PEER", "This address is not on the endpoint's allow-list.")
    return endpoint


def _body(request: HttpRequest) -> bytes:
    """The body, if it is of a kind and size that we take."""
    media_type = (request.content_type or "").lower()
    if media_type not in MEDIA_TYPES or request.headers.get("Content-Encoding", "identity") != "identity":
        raise _Problem(415, "IF_MEDIA_TYPE", f"Send one of {', '.join(sorted(MEDIA_TYPES))}, not compressed.")
    limit = settings.MAX_MESSAGE_BYTES
    too_large = _Problem(413, "IF_TOO_LARGE", f"A body may have {limit} bytes; send fewer messages at once.")
    if int(request.headers.get("Content-Length") or 0) > limit:
        raise too_large
    try:
        body = request.body
    except RequestDataTooBig:
        raise too_large from None
    except UnreadablePostError:
        raise _Problem(400, "IF_CUT_OFF", "The body ended early; nothing was stored.") from None
    if len(body) > limit:
        raise too_large
    return body


def _busy(request: HttpRequest, found: Sequence[Arrival]) -> HttpResponse:
    """Nothing is stored: the sender is asked to wait, in HTTP's words and in HL7's."""
    envelope = found[0].envelope
    wait = {"Retry-After": str(RETRY_AFTER_S)}
    if envelope is None:
        return _problem(request, _Problem(503, "IF_BUSY", "Nothing is taken here now; send it again later.", wait))
    acks = [ack for one in found if one.envelope for ack in answers.replies(one.envelope, answers.BUSY, ids.uuid7())]
    return HttpResponse(b"".join(acks), status=503, content_type=ER7, headers=wait)


def _problem(request: HttpRequest, problem: _Problem) -> HttpResponse:
    """A problem document (RFC 9457), of the same shape as the API's."""
    body = {
        "type": f"urn:throughline:problem:{problem.code.lower().replace('_', '-')}",
        "title": "The document was not taken in",
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": f"urn:uuid:{getattr(request, 'correlation_id', None) or ids.uuid7()}",
    }
    return JsonResponse(
        body, status=problem.status, content_type="application/problem+json", headers=dict(problem.headers or {})
    )


@login_not_required  # asked by supervisors and load balancers, which have no account
@require_GET
def livez(_: HttpRequest) -> HttpResponse:
    """This process answers. Says nothing about the database: restarting us would not cure that."""
    return JsonResponse({"status": "alive"})


@login_not_required  # as above; tells no more than yes or no for each thing it looked at
@require_GET
def readyz(_: HttpRequest) -> HttpResponse:
    """Whether requests should be sent here: 200 when ready or degraded (Redis away), else 503."""
    ready, found = health.readiness()
    return JsonResponse(found, status=200 if ready else 503)


@login_not_required  # the key is the identity, as at the HTTP door
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, to keys with the scope `metrics.read` of an account that sees every facility."""
    try:
        actor = machines.authenticate(request.headers.get("Authorization", ""))
    except NotAllowed as error:
        header = {"WWW-Authenticate": 'Bearer realm="throughline"'}
        return _problem(request, _Problem(401, error.code, error.text, header))
    try:
        machines.require_scope(actor, "metrics.read")
        access.require(actor, "hub.view_endpoint", facility=access.ALL)
    except NotAllowed as error:
        return _problem(request, _Problem(403, error.code, error.text))
    return HttpResponse(generate_latest(figures.registry), content_type=CONTENT_TYPE_LATEST)
