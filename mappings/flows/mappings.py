"""Mappings: one person says what a partner's code means, another approves it, and what waited for it goes on.

Every change is effective-dated and looks forward: charges that were booked with a mapping stay as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db import IntegrityError, models, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from hub import access, audit, cases, held
from hub.access import Actor
from hub.errors import NotAllowed, Refused
from hub.models import ExceptionCase, Partner, Waiting
from hub.models.states import advance
from mappings import crosswalk
from mappings.flows.targets import find_target
from mappings.models import Mapping
from mappings.models.crosswalk import DOMAINS

EARLIEST = date(2000, 1, 1)
LIMITS = {"facility": 60, "source_code": 120, "target_code": 40}  # characters, as the columns have them
WHOLE_NETWORK = (
    "A mapping without a facility holds for all of them, so it takes somebody who sees all facilities. "
    "Name the facility."
)


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approval set going: the open cases that it covers, and how many messages went back into the queue."""

    mapping: Mapping
    cases: tuple[int, ...]
    released: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What waits for a mapping: messages, lines, and money by currency (signed)."""

    messages: int = 0
    lines: int = 0
    amount: dict[str, Decimal] = field(default_factory=dict)


def propose(
    *,
    partner: Partner | str,
    domain: str,
    source_code: str,
    target_code: str,
    facility: str = "",
    valid_from: date | None = None,
    valid_to: date | None = None,
    reason: str = "",
    by: Actor,
) -> Mapping:
    """Say what a partner's code means; it holds once somebody else approves it. `facility` is the partner's code.

    Idempotent: the same proposal again gives the row that waits or is in force already. Refused where the target does
    not exist or may not be used, or where an approved mapping of the same code overlaps its dates (the text names it).
    """
    wanted = draft(
        partner=partner, domain=domain, source_code=source_code, target_code=target_code, facility=facility,
        valid_from=valid_from, valid_to=valid_to, reason=reason, by=by,
    )  # fmt: skip
    with transaction.atomic():
        # Two people who press at the same moment get one row: the partner's row stands for "mapping this system".
        Partner.objects.select_for_update(no_key=True).get(pk=wanted.partner_id)
        same = same_as(wanted)
        if same is not None:
            return same
        refuse_overlap(wanted)
        wanted.save()
        audit.record("mappings.propose", by=by, subject=wanted, reason=wanted.reason, detail=_told(wanted))
    return wanted


def draft(
    *,
    partner: Partner | str,
    domain: str,
    source_code: str,
    target_code: str,
    facility: str = "",
    valid_from: date | None = None,
    valid_to: date | None = None,
    reason: str = "",
    by: Actor,
) -> Mapping:
    """The proposal that `propose` would save, looked at from all sides but not saved: what a dry run needs."""
    access.require(by, "mappings.propose_mapping")
    if by.is_system:
        raise NotAllowed("ACCESS_VERB", "A mapping is proposed by a person, so that another one can approve it.")
    wanted = Mapping(
        partner=partner if isinstance(partner, Partner) else _partner(partner),
        domain=domain,
        facility=facility.strip(),
        source_code=source_code.strip(),
        target_code=target_code.strip(),
        valid_from=valid_from or EARLIEST,
        valid_to=valid_to,
        reason=reason.strip()[:300],
        proposed_by=by.user,
    )
    _check(wanted)
    _require_facility(wanted, by)
    find_target(wanted)
    return wanted


def approve(mapping: Mapping, *, by: Actor) -> Approval:
    """Put a proposed mapping in force and release what waits for it, in one transaction.

    Never by its proposer, superusers included; the database holds the same rule. The target is looked at once more:
    it may have been retired since the proposal.
    """
    access.require(by, "mappings.approve_mapping")
    if by.is_system or by.user.pk == mapping.proposed_by_id:
        raise NotAllowed("MAP_FOUR_EYES", "A mapping is approved by somebody else than the person who proposed it.")
    _require_facility(mapping, by)
    with transaction.atomic():
        find_target(mapping)
        refuse_overlap(mapping)
        with _one_in_force(mapping):
            advance(mapping, "approved", approved_by=by.user, approved_at=timezone.now())
        audit.record("mappings.approve", by=by, subject=mapping, detail=_told(mapping))
        held.still()
        waiting = list(covered(mapping))
        # The release follows from the approval, so it needs no permission beside that one.
        released = sum(cases.release(case, by=Actor(by.name)) for case in waiting)
    return Approval(mapping, tuple(case.pk for case in waiting), released)


def reject(mapping: Mapping, *, reason: str, by: Actor) -> Mapping:
    """Turn a proposal down, with the reason for its author."""
    access.require(by, "mappings.approve_mapping")
    _require_facility(mapping, by)
    _require_reason(reason)
    with transaction.atomic():
        advance(mapping, "rejected", reason=reason.strip()[:300])
        audit.record("mappings.reject", by=by, subject=mapping, reason=reason, detail=_told(mapping))
    return mapping


def retire(mapping: Mapping, *, on: date, reason: str, by: Actor) -> Mapping:
    """End a mapping: `on` is the first day on which it no longer holds. What was booked with it stays as it is.

    Days before `on` keep their meaning, so a late charge of last month is still understood. Where `on` is not after
    the first day, the mapping was wrong from the start: it loses its last day (`valid_to` empty on a retired row) and
    speaks for no day at all any more.
    """
    access.require(by, "mappings.retire_mapping")
    _require_facility(mapping, by)
    _require_reason(reason)
    if mapping.valid_to is not None and on > mapping.valid_to:
        raise Refused("MAP_DATES", f"It ends by itself on {mapping.valid_to}; there is nothing to retire on {on}.")
    last_day = on - timedelta(days=1) if on > mapping.valid_from else None
    with transaction.atomic():
        advance(mapping, "retired", valid_to=last_day, reason=reason.strip()[:300])
        audit.record("mappings.retire", by=by, subject=mapping, reason=reason, detail=_told(mapping) | {"on": str(on)})
    return mapping


def impact(mapping: Mapping) -> Impact:
    """What would go through if the mapping were approved now. Two queries."""
    waiting = Waiting.objects.filter(case__in=covered(mapping))
    totals = waiting.aggregate(messages=Count("message_id", distinct=True), lines=Count("pk"))
    by_currency = waiting.values_list("currency").annotate(total=Sum("amount")).order_by("currency")
    return Impact(totals["messages"], totals["lines"], dict(by_currency))


def covered(mapping: Mapping) -> models.QuerySet[ExceptionCase]:
    """The open cases whose code this mapping answers, oldest first; a facility's own as well as the network's.

    A case of a charge code names no facility, so a facility's mapping covers it too: lines of other facilities are
    held again under the same case. The default row "*" covers every code of its domain.
    """
    found = ExceptionCase.objects.filter(
        status__in=cases.OPEN, data__partner=mapping.partner.code, data__domain=mapping.domain
    )
    if mapping.source_code != crosswalk.DEFAULT:
        found = found.filter(data__code=mapping.source_code)
    if mapping.facility:
        found = found.filter(data__facility__in=["", mapping.facility])
    return found.order_by("opened_at", "pk")


def same_as(mapping: Mapping) -> Mapping | None:
    """The row that says the same already: in force, or waiting for approval."""
    same = Mapping.objects.filter(**_identity(mapping), target_code=mapping.target_code)
    return same.filter(status__in=["approved", "proposed"]).order_by("status", "pk").first()


def overlapping(mapping: Mapping) -> Mapping | None:
    """An approved mapping of the same code whose dates overlap, or None."""
    span = Q(valid_to__isnull=True) | Q(valid_to__gte=mapping.valid_from)
    if mapping.valid_to is not None:
        span &= Q(valid_from__lte=mapping.valid_to)
    identity = {name: value for name, value in _identity(mapping).items() if name not in {"valid_from", "valid_to"}}
    return Mapping.objects.filter(span, status="approved", **identity).exclude(pk=mapping.pk).first()


def refuse_overlap(mapping: Mapping) -> None:
    """Raise `Refused` (MAP_OVERLAP) naming the approved mapping that is in the way."""
    other = overlapping(mapping)
    if other is None:
        return
    ends = f"to {other.valid_to}" if other.valid_to else "with no end"
    raise Refused(
        "MAP_OVERLAP",
        f"{other} is in force from {other.valid_from} {ends} (mapping {other.pk}). Retire it from the day on which the "
        "new meaning begins, or choose dates beside it.",
    )


@contextmanager
def _one_in_force(mapping: Mapping) -> Iterator[None]:
    """Two approvals at the same moment: the database lets one through, the other one reads why."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "mapping_in_force_is_one" not in str(error):
            raise
        refuse_overlap(mapping)
        raise


def _partner(code: str) -> Partner:
    found = Partner.objects.filter(code=code).first()
    if found is None:
        raise Refused("MAP_PARTNER", f"There is no partner {code!r}.")
    return found


def _identity(mapping: Mapping) -> dict[str, object]:
    return {
        "partner": mapping.partner,
        "domain": mapping.domain,
        "facility": mapping.facility,
        "source_code": mapping.source_code,
        "valid_from": mapping.valid_from,
        "valid_to": mapping.valid_to,
    }


def _check(mapping: Mapping) -> None:
    """What the row must be in itself, told in sentences before the database says it in constraint names."""
    if mapping.domain not in DOMAINS:
        raise Refused("MAP_DOMAIN", f"{mapping.domain!r} is no kind of code; there are {', '.join(DOMAINS)}.")
    if not mapping.source_code:
        raise Refused(
            "MAP_SOURCE", 'The partner\'s code is empty. For lines that come without one, map the default code "*".'
        )
    for name, limit in LIMITS.items():
        if len(getattr(mapping, name)) > limit:
            raise Refused("MAP_LENGTH", f"{name} is longer than {limit} characters.", where=name)
        if any(ord(character) < 32 for character in getattr(mapping, name)):
            raise Refused("MAP_CHARACTERS", f"{name} holds a control character. Type it anew.", where=name)
    if mapping.valid_to is not None and mapping.valid_to < mapping.valid_from:
        raise Refused("MAP_DATES", f"It would end on {mapping.valid_to}, before it begins on {mapping.valid_from}.")


def _require_facility(mapping: Mapping, by: Actor) -> None:
    """The actor must see the facility that the mapping is for: ours, as the partner's facility code means it."""
    if access.facilities(by) is None:
        return
    if not mapping.facility:
        raise NotAllowed("ACCESS_FACILITY", WHOLE_NETWORK)
    request = crosswalk.CodeRequest(mapping.partner.code, "facility", mapping.facility, timezone.localdate())
    (meant,) = crosswalk.translate([request])
    ours = meant.code if isinstance(meant, crosswalk.Meaning) else mapping.facility
    if not access.sees(by, ours):
        raise NotAllowed("ACCESS_FACILITY", f"{by.name} has no access to facility {ours}.")


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise Refused("MAP_REASON", "This needs a reason that its author and an auditor will understand.")


def _told(mapping: Mapping) -> dict[str, str]:
    return {
        "partner": mapping.partner.code,
        "domain": mapping.domain,
        "facility": mapping.facility,
        "source": mapping.source_code,
        "target": mapping.target_code,
        "from": str(mapping.valid_from),
        "to": str(mapping.valid_to or ""),
    }
