"""The REST ledger: a documented protocol that a small ERP, or a thin service before a large one, can speak."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from erp.adapters import rest_ledger
from erp.connectors.base import Capabilities, Page
from hub.errors import HubError, OutcomeUnknown, Rejected, Throttled, Transient
from hub.models import Endpoint
from hub.routing import Outcome
from hub.transports import http

# Our kind of reference data -> the protocol's name for it.
KINDS = {
    "gl_account": "accounts", "cost_center": "cost-centers", "facility": "facilities", "department": "departments",
    "item": "items", "vendor": "vendors", "service_line": "service-lines", "period": "periods",
}  # fmt: skip


class RestLedger:
    """Speaks docs/integrating/rest-ledger.md."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def capabilities(self) -> Capabilities:
        """Journals and reference data; no actions."""
        return Capabilities(
            creates=frozenset({"journal"}), pulls=frozenset(KINDS), balances=True, keyed=True, journal_lines=1000
        )

    def create(self, kind: str, document: Any, external_key: UUID) -> Outcome:
        """Post a journal: 201 and 200 (it was there) are ok, 4xx is a refusal, all else unknown or to be repeated."""
        _supported(kind, {"journal"})
        try:
            answer = http.send(
                self.endpoint, "POST", "/v1/journals", body=rest_ledger.write_journal(external_key, document)
            )
        except HubError as error:
            return _failed(error)
        if answer.status in {200, 201}:
            return _journal(rest_ledger.read_journal(answer.body), external_key)
        return _refused(answer)

    def find(self, kind: str, external_key: UUID) -> Outcome:
        """Look a journal up by our key."""
        _supported(kind, {"journal"})
        try:
            answer = http.send(self.endpoint, "GET", "/v1/journals", params={"external_key": str(external_key)})
        except HubError as error:
            # A look-up changes nothing, so whatever went wrong with it leaves the document as doubtful as it was.
            return Outcome(
                "unknown", code=error.code, text=error.text, retry_after_s=getattr(error, "retry_after_s", None)
            )
        document = rest_ledger.read_journal(answer.body) if answer.status == 200 else None
        items = document.get("items") if document is not None else None
        if not isinstance(items, list):
            return Outcome("unknown", code=str(answer.status), text="the look-up did not answer with a list")
        return _journal(items[0], external_key) if items else Outcome("absent")

    def pull(self, kind: str, since: datetime | None, cursor: str) -> Page:
        """One page of reference data, oldest change first."""
        params = {"limit": "500", **({"cursor": cursor} if cursor else {})}
        if since is not None:
            params["updated_since"] = since.isoformat()
        answer = http.send(self.endpoint, "GET", f"/v1/reference/{KINDS[kind]}", params=params)
        document = rest_ledger.read_journal(answer.body)
        if answer.status != 200 or document is None or not isinstance(document.get("items"), list):
            raise Rejected("ERP_PULL", f"{kind} could not be read: the ERP answered {answer.status}")
        return Page(document["items"], document.get("next") or "")

    def act(self, kind: str, reference: str, action: str) -> Outcome:
        """The protocol has no actions."""
        raise Rejected("ERP_ACTION", f"this ERP cannot {action} a {kind} ({reference})")

    def balance(self, kind: str, period: str) -> Iterator[Mapping[str, Any]]:
        """Debit and credit per account and cost centre of a period such as "2026-11"."""
        _supported(kind, {"ledger"})
        answer = http.send(self.endpoint, "GET", "/v1/balances", params={"period": period})
        document = rest_ledger.read_journal(answer.body)
        if answer.status != 200 or document is None:
            raise Rejected("ERP_BALANCE", f"balances of {period} could not be read: the ERP answered {answer.status}")
        yield from document["items"]


def _supported(kind: str, kinds: set[str]) -> None:
    if kind not in kinds:
        raise Rejected("ERP_KIND", f"the REST ledger knows no {kind}")


def _failed(error: HubError) -> Outcome:
    if isinstance(error, OutcomeUnknown):
        return Outcome("unknown", code=error.code, text=error.text)
    if isinstance(error, Transient):
        after = error.retry_after_s if isinstance(error, Throttled) else None
        return Outcome("retryable", code=error.code, text=error.text, retry_after_s=after)
    # Nothing was sent, and nothing is wrong with the journal: a secret that cannot be opened, say. It waits.
    return Outcome("retryable", code=error.code, text=error.text)


def _refused(answer: http.Answer) -> Outcome:
    if answer.status in {401, 403}:  # nothing is wrong with the journal: the token is; it waits until that is mended
        text = f"the ERP does not accept our token ({answer.status}): set the endpoint's secret anew"
        return Outcome("retryable", code=str(answer.status), text=text, status=answer.status)
    document = rest_ledger.read_journal(answer.body) or {}
    told = document.get("error")
    if answer.status >= 400 and isinstance(told, dict):
        line = told.get("line")
        return Outcome(
            "rejected", code=str(told.get("code", answer.status)), text=str(told.get("message", ""))[:500],
            field="" if line is None else f"line {line}", status=answer.status,
        )  # fmt: skip
    if answer.status in {404, 405}:  # not the protocol's own refusal: nobody there knows of journals
        text = f"the ERP has no journals at this address ({answer.status}): correct the endpoint's URL"
        return Outcome("retryable", code=str(answer.status), text=text, status=answer.status)
    # 409 without the protocol's words: something is in the way, perhaps the same call; it is looked up and sent again.
    if answer.status in {400, 413, 415, 422}:
        return Outcome("rejected", code=str(answer.status), text="refused without a reason", status=answer.status)
    return Outcome("unknown", code=str(answer.status), text="an answer outside the protocol", status=answer.status)


def _journal(document: Any, key: UUID) -> Outcome:
    """A journal is only posted when the answer names it: an id, and our own key."""
    if not isinstance(document, dict) or not document.get("id"):
        return Outcome("unknown", code="ERP_AMBIGUOUS", text="success without a journal id")
    if document.get("external_key") != str(key):
        return Outcome("unknown", code="ERP_AMBIGUOUS", text="the answer names another key")
    return Outcome("ok", reference=str(document["id"])[:120])
