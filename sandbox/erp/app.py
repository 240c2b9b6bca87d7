"""The stand-in ERP's routes: what each request does, and which fault it meets on its way."""

from __future__ import annotations

import asyncio
import hmac
import re
import sqlite3
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.erp import figures, journals, rules
from sandbox.erp.errors import Refused
from sandbox.erp.faults import AFTER_COMMIT, Faults
from sandbox.erp.injection import after_commit, before
from sandbox.erp.ledger import Ledger
from sandbox.erp.messages import Request, Response, reply, reply_refused
from sandbox.erp.paging import read_limit
from sandbox.erp.reference import KINDS, Reference
from sandbox.erp.server import Outcome
from sandbox.erp.store import claim, connect, connect_reader

Route = Callable[..., Response | Awaitable[Response]]
_PERIOD = re.compile(r"\d{4}-\d{2}")


class Erp:
    """The ERP behind its HTTP door. `handle` is what the server calls for each request."""

    def __init__(self, ledger_file: Path, network: Mapping[str, Any], token: str) -> None:
        self._claim = claim(ledger_file)
        self._database = connect(ledger_file)
        self.ledger = Ledger(self._database)
        self.reference = Reference(self._database, network)
        self.faults = Faults()
        self._authorization = f"Bearer {token}".encode()
        self._reader = connect_reader(ledger_file)
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._routes: list[tuple[str, re.Pattern[str], Route]] = [
            ("POST", re.compile("/v1/journals"), self._post_journal),
            ("GET", re.compile("/v1/journals"), self._list_journals),
            ("GET", re.compile("/v1/journals/([^/]+)"), self._get_journal),
            ("GET", re.compile("/v1/reference/([^/]+)"), self._list_reference),
            ("GET", re.compile("/v1/balances"), self._balances),
            ("GET", re.compile("/v1/totals"), self._totals),
            ("GET", re.compile("/v1/health"), self._health),
            ("POST", re.compile("/_sandbox/faults"), self._set_faults),
            ("GET", re.compile("/_sandbox/faults"), self._get_faults),
            ("DELETE", re.compile("/_sandbox/faults"), self._clear_faults),
            ("PUT", re.compile("/_sandbox/reference/([^/]+)/([^/]+)"), self._edit_reference),
        ]

    def handle(self, request: Request) -> Outcome | Awaitable[Outcome]:
        """Answer a request, at once where possible."""
        given = request.head.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._authorization):
            return reply_refused(Refused(401, "unauthorized", "the bearer token is missing or wrong"))
        if self.faults and request.head.path.startswith("/v1/"):
            return self._handle_with_faults(request)
        return self._dispatch(request)

    def close(self) -> None:
        """Close the ledger; what was committed is on disk."""
        self._readers.shutdown(wait=True)
        self._reader.close()
        self._database.close()
        self._claim.close()

    async def _handle_with_faults(self, request: Request) -> Outcome:
        """Answer a request as the active faults will have it."""
        hit = self.faults.striking(request.head.method, request.head.path)
        for fault in hit:
            if fault.mode not in AFTER_COMMIT and not fault.spent:
                self.faults.injecting(fault)
                instead = await before(fault)
                if instead is not None:
                    return instead
        answer = self._dispatch(request)
        response = answer if isinstance(answer, Response) else await answer
        late = next((fault for fault in hit if fault.mode in AFTER_COMMIT and not fault.spent), None)
        if late is None or response.status != 201:
            return response
        self.faults.injecting(late)
        return after_commit(late, response)

    def _dispatch(self, request: Request) -> Response | Awaitable[Response]:
        """Find the route and follow it. This is the outer door: what nobody foresaw becomes a 500 and a traceback."""
        try:
            return self._follow(request)
        except Refused as refused:
            return reply_refused(refused)
        except Exception:  # noqa: BLE001 - the outer door
            traceback.print_exc(file=sys.stderr)
            return reply_refused(Refused(500, "internal", "a defect of the stand-in ERP; its log has the traceback"))

    def _follow(self, request: Request) -> Response | Awaitable[Response]:
        allowed = []
        for method, pattern, route in self._routes:
            found = pattern.fullmatch(request.head.path)
            if found and method == request.head.method:
                return route(request, *found.groups())
            if found:
                allowed.append(method)
        if allowed:
            message = f"{request.head.path} takes {', '.join(allowed)}"
            raise Refused(405, "method_not_allowed", message, headers={"Allow": ", ".join(allowed)})
        raise Refused(404, "not_found", "there is no such resource")

    def _post_journal(self, request: Request) -> Response:
        journal = journals.read(request.document())
        known = self.ledger.find(journal.external_key)
        if known is not None:
            if not self.ledger.holds_same(known, journal):
                message = f"external key {journal.external_key} holds another journal, {known.id}"
                raise Refused(409, "duplicate_key_other_content", message)
            return reply({**known.document(), "duplicate": True})
        self.reference.roll()
        period = rules.check(journal, self.reference)
        return reply(self.ledger.post(journal, period).document(), 201)

    def _list_journals(self, request: Request) -> Response:
        query = request.head.query
        if "external_key" in query:
            posted = self.ledger.find(query["external_key"])
            return reply({"items": [posted.document()] if posted else [], "next": None})
        page = self.ledger.page(
            since=_instant(query.get("since", "")),
            cursor=query.get("cursor", ""),
            limit=read_limit(query.get("limit", "")),
        )
        return reply(page)

    def _get_journal(self, _request: Request, journal_id: str) -> Response:
        posted = self.ledger.get(journal_id)
        if posted is None:
            raise Refused(404, "not_found", f"there is no journal {journal_id}")
        return reply({**posted.document(), "line_items": journals.documents(self.ledger.lines(posted))})

    def _list_reference(self, request: Request, kind: str) -> Response:
        if kind not in KINDS:
            raise Refused(404, "not_found", f"kind must be one of {', '.join(KINDS)}")
        self.reference.roll()
        query = request.head.query
        listing = self.reference.listing(
            kind,
            updated_since=_instant(query.get("updated_since", "")),
            cursor=query.get("cursor", ""),
            limit=read_limit(query.get("limit", "")),
        )
        return reply(listing)

    def _balances(self, request: Request) -> Awaitable[Response]:
        period = request.head.query.get("period", "")
        if not _PERIOD.fullmatch(period):
            raise Refused(400, "bad_request", "period must be a month, YYYY-MM")
        return self._read(figures.balances, period)

    def _totals(self, request: Request) -> Awaitable[Response]:
        quick = request.head.query.get("distinct") == "0"
        return self._read(figures.quick_totals if quick else figures.totals)

    def _health(self, _request: Request) -> Response:
        return reply({"status": "ok", "journals": self.ledger.count()})

    def _set_faults(self, request: Request) -> Response:
        self.faults.set(request.document())
        return reply(self.faults.document())

    def _get_faults(self, _request: Request) -> Response:
        return reply(self.faults.document())

    def _clear_faults(self, _request: Request) -> Response:
        self.faults.clear()
        return reply(self.faults.document())

    def _edit_reference(self, request: Request, kind: str, code: str) -> Response:
        if kind not in KINDS:
            raise Refused(404, "not_found", f"kind must be one of {', '.join(KINDS)}")
        changes = request.document()
        if not isinstance(changes, dict):
            raise Refused(422, "invalid_field", "the body must be an object with the fields to change")
        return reply(self.reference.edit(kind, code, changes))

    async def _read(self, query: Callable[..., dict[str, Any]], *arguments: str) -> Response:
        """Run a long query beside the writer, in the reader's thread on the reader's connection."""
        try:
            document = await asyncio.get_running_loop().run_in_executor(self._readers, query, self._reader, *arguments)
        except sqlite3.OperationalError as error:
            return reply_refused(Refused(503, "unavailable", str(error), headers={"Retry-After": "1"}))
        return reply(document)


def _instant(text: str) -> str:
    """Read an instant and write it as the ledger does, so that the two compare as texts. "" stays "", the beginning."""
    if not text:
        return ""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise Refused(400, "bad_request", "an instant must look like 2026-11-22T17:03:11Z")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
