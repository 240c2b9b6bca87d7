"""One readable history of a row: what its history table and the audit entries say, merged in the order of time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from hub.models import AuditEntry

# A verb writes its audit entry and its history row in one transaction; nearer than this they tell of the same deed.
SAME_DEED = timedelta(seconds=2)
SHOWN = 100
TOLD = {
    "admin.change": "changed it",
    "admin.create": "created it",
    "access.denied": "tried what they may not do",
    "cases.assign": "gave it to somebody",
    "cases.release": "put what waits back into the queue",
    "cases.resolve": "resolved it",
    "cases.waive": "waived it",
    "charges.accept": "accepted it as it stands",
    "charges.waive": "waived it",
    "deliveries.retry": "let it try again",
    "deliveries.waive": "waived it",
    "dispatches.retry": "let its deliveries try again",
    "dispatches.resolve": "said what the partner has",
    "endpoints.close_circuit": "closed the circuit",
    "endpoints.drain": "lets it take nothing new",
    "endpoints.open_circuit": "opened the circuit",
    "endpoints.pause": "paused it",
    "endpoints.resume": "let it go on",
    "endpoints.take_again": "let it take again",
    "machines.issue": "issued it",
    "machines.revoke": "revoked it",
    "mappings.approve": "approved it",
    "mappings.propose": "proposed it",
    "mappings.reject": "rejected it",
    "mappings.retire": "retired it",
    "messages.resubmit": "edited a copy and handed it in",
    "messages.retry": "let it try again",
    "messages.reveal": "looked at the personal fields",
    "messages.waive": "waived it",
    "replays.approve": "approved it",
    "replays.cancel": "cancelled it",
    "replays.done": "brought it to its end",
    "replays.pause": "paused it",
    "replays.plan": "planned it",
    "replays.reject": "rejected it",
    "replays.resume": "let it go on",
    "replays.start": "started it",
    "webhooks.send_again": "let it be tried once more",
    "webhooks.set_secret": "set its secret",
    "webhooks.switch_off": "switched it off",
}
KINDS = {"+": "created", "~": "changed", "-": "deleted"}
# Not told: they say nothing, or would say a secret.
SILENT = {"id", "updated_at", "secret", "digest", "password"}


@dataclass(slots=True)
class Change:
    """One field, before and after."""

    label: str
    before: str
    after: str


@dataclass(slots=True)
class Entry:
    """Who did what, when, why, and what it changed."""

    at: datetime
    who: str
    what: str
    why: str = ""
    changes: list[Change] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)


def of(row: models.Model) -> list[Entry]:
    """The newest hundred entries of a row's history, newest first."""
    told = _audited(row)
    if hasattr(row, "history"):
        told = _merge(told, _versions(row))
    return sorted(told, key=lambda entry: entry.at, reverse=True)[:SHOWN]


def _audited(row: models.Model) -> list[Entry]:
    entries = AuditEntry.objects.filter(subject_type=row._meta.label_lower, subject_id=str(row.pk)).order_by("-id")
    return [
        Entry(entry.at, entry.actor, _words(entry.verb), entry.reason, detail=entry.detail)
        for entry in entries[:SHOWN]
    ]  # fmt: skip


def _versions(row: Any) -> list[Entry]:
    versions = list(row.history.select_related("history_user").order_by("-history_date", "-history_id")[: SHOWN + 1])
    older = [*versions[1:], None]
    found = []
    for version, before in zip(versions[:SHOWN], older, strict=False):
        changes = _changes(version, before) if version.history_type == "~" and before is not None else []
        if version.history_type == "~" and before is not None and not changes:
            continue  # saved without a change
        who = version.history_user.get_username() if version.history_user else "system"
        what = KINDS[version.history_type]
        found.append(Entry(version.history_date, who, what, version.history_change_reason or "", changes))
    return found


def _changes(version: Any, before: Any) -> list[Change]:
    told = []
    for known in version.tracked_fields:
        if known.name in SILENT:
            continue
        old, new = getattr(before, known.attname), getattr(version, known.attname)
        if old != new:
            told.append(Change(str(known.verbose_name), _shown(known, old), _shown(known, new)))
    return told


def _shown(known: Any, value: Any) -> str:
    if value in (None, "", [], {}):
        return "empty"
    choices = dict(known.flatchoices or ())
    if known.is_relation:
        target = known.related_model._base_manager.filter(pk=value).first()
        return str(target or value)
    return str(value if isinstance(value, list | dict) else choices.get(value, value))


def _merge(audited: list[Entry], versions: list[Entry]) -> list[Entry]:
    """Give each version's changes to the audit entry of the same deed; versions without one stand alone."""
    for version in versions:
        same = next((entry for entry in audited if not entry.changes and abs(entry.at - version.at) < SAME_DEED), None)
        if same is None:
            audited.append(version)
        else:
            same.changes = version.changes
    return audited


def _words(verb: str) -> str:
    """What somebody did, as one says it; a verb without a phrase is told by its name."""
    return TOLD.get(verb) or verb.rpartition(".")[2].replace("_", " ")
