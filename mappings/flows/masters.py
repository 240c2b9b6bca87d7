"""Master data as the ERP's sync, an import or the demo brings it: page by page, only what changed, never a deletion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from hub import access, audit, cases, held
from hub.access import Actor
from hub.errors import Refused
from hub.models import ExceptionCase
from mappings.flows.kinds import KEY_DEFAULTS, KINDS, Kind

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not taken: its place in the page from 0, its key as far as it has one, the field, and why."""

    index: int
    key: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of a page."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: tuple[Refusal, ...] = ()
    codes: tuple[str, ...] = ()  # of the records that are new or changed


@dataclass(slots=True)
class _Incoming:
    index: int
    values: dict[str, Any]  # fields that came, read; references by code until they are resolved
    key: Key = ()
    row: models.Model | None = None  # what is stored


@dataclass(slots=True)
class _Page:
    """One page on its way: what is still good, and what was refused."""

    kind: str
    spec: Kind
    good: list[_Incoming] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def refuse(self, incoming: _Incoming, name: str, reason: str) -> None:
        self.refused.append(Refusal(incoming.index, label(self.kind, incoming.values), name, reason))


class _FieldError(ValueError):
    """A field that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


def upsert(
    kind: str,
    records: Sequence[Mapping[str, Any]],
    *,
    by: Actor,
    source: str,
    keep: bool = False,
    quarantine: bool = True,
) -> Changes:
    """Create and change master records of one kind, in one transaction; `source` is told in their history.

    A record names its fields as the model does, and other records by their codes; what it leaves out stays as it is,
    and what is the same costs no write. `keep` leaves records that exist alone. A bad record does not stop the others:
    it is quarantined with its reason (case MD_INVALID; not with `quarantine` off, for a caller who shows it to a person
    at once). Nothing is ever deleted: send `active` false. Charges that wait for one of these records go on. Two calls
    at once wait for each other; the second finds nothing to do.
    """
    if kind not in KINDS:
        raise Refused("MD_KIND", f"There is no master data called {kind!r}; there are {', '.join(KINDS)}.")
    spec = KINDS[kind]
    access.require(by, f"mappings.change_{spec.model._meta.model_name}")
    page = _Page(kind, spec)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"mappings.masters.{kind}"])
        _read(page, records)
        _match(page)
        created, changed, unchanged = _write(page, by, source, keep)
        codes = tuple(sorted({str(row.code) for row in (*created, *changed)}))  # type: ignore[attr-defined]
        changes = Changes(len(created), len(changed), unchanged, tuple(page.refused), codes)
        if quarantine:
            _quarantine(page, source, by)
        if codes:
            audit.record(
                "masters.upsert", by=by, subject_type=spec.model._meta.label_lower, count=len(created) + len(changed),
                detail={"source": source, "created": len(created), "changed": len(changed), "codes": codes[:50]},
            )  # fmt: skip
            held.still()
            _let_go(kind, codes, by)
    return changes


def _read(page: _Page, records: Sequence[Mapping[str, Any]]) -> None:
    """Read every field; a key that comes twice on a page is refused the second time."""
    seen: set[Key] = set()
    for index, record in enumerate(records):
        incoming = _Incoming(index, dict(record))
        try:
            incoming.values = _values(page.spec, record)
            incoming.key = tuple(incoming.values.get(name, KEY_DEFAULTS.get(name)) for name in page.spec.key)
            if incoming.key in seen:
                raise _FieldError(page.spec.key[-1], "comes twice on this page")
        except _FieldError as bad:
            page.refuse(incoming, bad.name, bad.reason)
            continue
        seen.add(incoming.key)
        page.good.append(incoming)


def _values(spec: Kind, record: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in record.items():
        reader = spec.fields.get(name)
        if reader is None and name not in spec.references:
            raise _FieldError(
                name, f"is no field of this kind; there are {', '.join((*spec.fields, *spec.references))}"
            )
        try:
            values[name] = reader(value) if reader else _code(value)
        except ValueError as error:
            raise _FieldError(name, str(error)) from None
    for name in spec.key:
        if name not in values and name not in KEY_DEFAULTS:
            raise _FieldError(name, "is missing")
        if name in spec.references and not values.get(name):
            raise _FieldError(name, "is missing")
    return values


def _code(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _match(page: _Page) -> None:
    """Find and lock what is stored; a new record must bring what every record needs."""
    names = [f"{name}__code" if name in page.spec.references else name for name in page.spec.key]
    codes = {incoming.values["code"] for incoming in page.good}
    stored = {
        tuple(key): pk for pk, *key in page.spec.model._default_manager.filter(code__in=codes).values_list("pk", *names)
    }
    wanted = [stored[incoming.key] for incoming in page.good if incoming.key in stored]
    rows = {row.pk: row for row in page.spec.model._default_manager.select_for_update().filter(pk__in=wanted)}
    good, page.good = page.good, []
    for incoming in good:
        incoming.row = rows.get(stored.get(incoming.key))
        lacking = [] if incoming.row else [name for name in page.spec.required if name not in incoming.values]
        starts, ends = (_bound(incoming, name) for name in _span(page.spec))
        if lacking:
            page.refuse(incoming, lacking[0], "is missing, and a new record needs it")
        elif starts and ends and ends < starts:
            page.refuse(incoming, _span(page.spec)[1], f"is {ends}, before {starts}")
        else:
            page.good.append(incoming)


def _span(spec: Kind) -> tuple[str, str]:
    return ("starts", "ends") if "starts" in spec.fields else ("valid_from", "valid_to")


def _bound(incoming: _Incoming, name: str) -> date | None:
    found: date | None = incoming.values.get(name, getattr(incoming.row, name, None))
    return found


def _write(page: _Page, by: Actor, source: str, keep: bool) -> tuple[list[models.Model], list[models.Model], int]:
    """Write in waves: a record may refer to one that the same page brings (a cost centre's parent)."""
    created: list[models.Model] = []
    changed: list[models.Model] = []
    unchanged = 0
    waiting = page.good
    while waiting:
        ready, later = _resolve(page, waiting)
        if not ready:
            for incoming, name in later:
                page.refuse(incoming, name, f"is {incoming.values[name]!r}, which does not exist")
            break
        new = [_fill(page.spec.model(), incoming) for incoming in ready if incoming.row is None]
        old = [] if keep else [incoming for incoming in ready if incoming.row is not None and _differs(incoming)]
        if new:
            _create(page.spec.model, new, by, source)
        if old:
            _update(page.spec, old, by, source)
        created += new
        changed += [incoming.row for incoming in old if incoming.row is not None]
        unchanged += len(ready) - len(new) - len(old)
        waiting = [incoming for incoming, _ in later]
    return created, changed, unchanged


def _resolve(page: _Page, waiting: Sequence[_Incoming]) -> tuple[list[_Incoming], list[tuple[_Incoming, str]]]:
    """Put primary keys where codes are; those with a code that nobody has (yet) come second, with the field's name."""
    known = {name: _known(page, name, waiting) for name in page.spec.references}
    ready, later = [], []
    for incoming in waiting:
        keys: dict[str, Any] = {}
        lacking = ""
        for name, reference in page.spec.references.items():
            code = incoming.values.get(name)
            if code is None:
                continue
            scoped = (incoming.values["facility"], code) if reference.within_facility else code
            keys[f"{name}_id"] = known[name].get(scoped) if code else None
            if keys[f"{name}_id"] is None and (code or name in page.spec.required):
                lacking = name
        if lacking:
            later.append((incoming, lacking))
            continue
        incoming.values = {name: v for name, v in incoming.values.items() if name not in known} | keys
        ready.append(incoming)
    return ready, later


def _known(page: _Page, name: str, waiting: Sequence[_Incoming]) -> dict[Any, int]:
    """Primary keys of what a reference field names."""
    reference = page.spec.references[name]
    codes = {incoming.values[name] for incoming in waiting if incoming.values.get(name)}
    if not codes:
        return {}
    rows = KINDS[reference.kind].model._default_manager.filter(code__in=codes)
    if reference.within_facility:
        return {(home, code): pk for home, code, pk in rows.values_list("facility__code", "code", "pk")}
    return dict(rows.values_list("code", "pk"))


def _fill(row: models.Model, incoming: _Incoming) -> models.Model:
    for name, value in incoming.values.items():
        setattr(row, name, value)
    return row


def _differs(incoming: _Incoming) -> bool:
    return any(getattr(incoming.row, name) != value for name, value in incoming.values.items())


def _create(model: type[models.Model], rows: list[models.Model], by: Actor, source: str) -> None:
    bulk_create_with_history(rows, model, batch_size=500, default_user=by.user, default_change_reason=source)


def _update(spec: Kind, incoming: Sequence[_Incoming], by: Actor, source: str) -> None:
    rows = [_fill(one.row, one) for one in incoming if one.row is not None]
    names = {name.removesuffix("_id") if name.endswith("_id") else name for one in incoming for name in one.values}
    if "valid_from" in spec.fields:
        names.add("updated_at")
        for row in rows:
            row.updated_at = timezone.now()  # type: ignore[attr-defined]
    bulk_update_with_history(
        rows, spec.model, sorted(names), batch_size=500, default_user=by.user, default_change_reason=source
    )


def label(kind: str, values: Mapping[str, Any]) -> str:
    """What staff call a record that may be broken: the parts of its key that came."""
    return _name(values.get(name, KEY_DEFAULTS.get(name)) for name in KINDS[kind].key)


def _name(key: Iterable[Any]) -> str:
    return " ".join(str(value) for value in key if value)[:200]


def _quarantine(page: _Page, source: str, by: Actor) -> None:
    """A case for each bad record; the case of one that is good now closes."""
    subject = f"master:{page.kind}:"
    cases.open_many(
        [
            cases.NewCase(
                code="MD_INVALID",
                subject=f"{subject}{refusal.key}",
                title=f"{page.kind.replace('_', ' ').capitalize()} {refusal.key} was not taken over",
                text=f"{source}: {refusal.field} {refusal.reason}. Correct it there; the next sync takes it.",
                owner="finance",
                data={"kind": page.kind, "key": refusal.key, "field": refusal.field},
            )
            for refusal in page.refused
        ],
        by=by,
    )
    bad = {refusal.key for refusal in page.refused}
    good = [f"{subject}{name}" for one in page.good if (name := _name(one.key)) not in bad]
    cases.close("MD_INVALID", good, reason=f"{source} sends a good record now.", by=by)


# A change of one of these may cure a dimension that charges wait for.
_DIMENSIONS = {"gl_account", "service_line", "facility", "cost_center", "department", "period"}


def _let_go(kind: str, codes: Iterable[str], by: Actor) -> None:
    """Release what waited for these records. What they do not cure is held again under the same case."""
    waiting = ExceptionCase.objects.filter(status__in=cases.OPEN)
    if kind in _DIMENSIONS:
        waiting = waiting.filter(code="CHG_DIM_INVALID")
    else:
        waiting = waiting.filter(data__domain=kind, data__code__in=list(codes))
    for case in waiting:
        # It follows from the change of master data, so it needs no permission beside that one.
        cases.release(case, by=Actor(by.name))
