"""Refusals: a partner took nothing of a call. The culprit is found by halves, and nothing of its key overtakes it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from hub import access, bulk, cases, dispatches, stops
from hub.models import Endpoint
from hub.routing import Outbound, Outcome
from hub.sendcall import Call


class Member(NamedTuple):
    """A delivery under way in a call."""

    id: UUID
    key: str
    lane: int
    message_id: UUID | None


MEMBERS = """
SELECT d.dispatch_id, d.id, d.key, d.lane, f.message_id FROM hub_delivery d JOIN hub_fact f ON f.id = d.fact_id
WHERE d.dispatch_id = ANY(%s::uuid[]) AND d.status = 'sending' ORDER BY d.id
"""


def settle(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    """The partner took nothing of them. Many facts in a call: halve it, so that the culprit stands alone.

    Facts of one key stay together, so that none overtakes the culprit. A call of one key sends its first fact alone;
    the others wait, and are blocked if it is refused again. Later calls of the same keys that were not taken yet are
    taken apart: older than the halves, they would go out before them.
    """
    members = _members(calls)
    _take_apart(route, endpoint, members)
    refused = []
    for call in calls:
        mine = members[call.id]
        if len(mine) > 1:
            dispatches.make(route, endpoint, mine[0].lane, _halves(mine), status="waiting")
        elif mine:
            refused.append((mine[0], call.outcome))
    _stop(route, endpoint, refused)


def _members(calls: Sequence[Call]) -> dict[UUID, list[Member]]:
    found: dict[UUID, list[Member]] = {call.id: [] for call in calls}
    for dispatch_id, *member in bulk.fetch(MEMBERS, [bulk.uuids(found)]):
        found[dispatch_id].append(Member(*member))
    return found


def _halves(members: Sequence[Member]) -> list[list[UUID]]:
    """The next calls for the deliveries of a refused one; what may go with none of them yet waits again."""
    by_key: dict[str, list[UUID]] = defaultdict(list)
    for member in members:
        by_key[member.key].append(member.id)
    bundles = list(by_key.values())
    if len(bundles) == 1:
        first, *behind = bundles[0]
        dispatches.put_back(behind)
        return [[first]]
    middle = len(bundles) // 2
    return [sorted(chain(*bundles[:middle])), sorted(chain(*bundles[middle:]))]


# Calls of a lane that come after a refused one, carry one of its keys, and are surely not done.
LATER = """
SELECT o.id FROM hub_dispatch o WHERE o.endpoint_id = %s AND o.route = %s AND o.lane = ANY(%s::smallint[])
AND o.status = 'waiting' AND EXISTS (
    SELECT 1 FROM unnest(%s::uuid[], %s::text[]) r(call_id, key)
    JOIN hub_delivery d ON d.dispatch_id = o.id AND d.status = 'sending' AND d.key = r.key WHERE r.call_id < o.id
) ORDER BY o.id
"""
APART = """
UPDATE hub_dispatch SET status = 'rejected', code = 'BEHIND', settled_at = now(),
    text = 'Not sent: an earlier call of its keys was refused. Its deliveries wait for another one.'
WHERE id = ANY(%s::uuid[]) AND status = 'waiting'
"""


def _take_apart(route: Outbound, endpoint: Endpoint, refused: Mapping[UUID, Sequence[Member]]) -> None:
    """The deliveries of calls that would overtake wait anew: they are gathered behind the halves."""
    told = sorted({(call_id, one.key) for call_id, members in refused.items() for one in members})
    lanes = sorted({one.lane for members in refused.values() for one in members})
    calls, keys = bulk.uuids(call_id for call_id, _ in told), bulk.texts(key for _, key in told)
    behind = [id_ for (id_,) in bulk.fetch(LATER, [endpoint.pk, route.name, lanes, calls, keys])]
    if not behind:
        return
    bulk.run(APART, [bulk.uuids(behind)])
    route.settle([(id_, Outcome("rejected", code="BEHIND", text="Not sent.")) for id_ in behind], by=access.SYSTEM)
    members = bulk.fetch(
        "SELECT id FROM hub_delivery WHERE dispatch_id = ANY(%s::uuid[]) AND status = 'sending'", [bulk.uuids(behind)]
    )
    dispatches.put_back([id_ for (id_,) in members])


STOP = """
UPDATE hub_delivery d SET status = 'stopped', problem_code = w.code, problem = w.problem
FROM unnest(%s::uuid[], %s::text[], %s::text[]) w(id, code, problem) WHERE d.id = w.id AND d.status = 'sending'
"""


def _stop(route: Outbound, endpoint: Endpoint, refused: Sequence[tuple[Member, Outcome | None]]) -> None:
    """Deliveries that were refused alone: each waits for a person, with a case, and holds back its own key."""
    told = []
    for member, outcome in refused:
        assert outcome is not None
        text = f"{endpoint.name} refused it: {outcome.text}" + (f" (at {outcome.field})" if outcome.field else "")
        told.append((member, outcome, text))
    if not told:
        return
    stops.put(f"{route.name}@{endpoint.code}", [(one.key, one.id) for one, _, _ in told], timezone.now())
    bulk.run(
        STOP,
        [
            bulk.uuids(one.id for one, _, _ in told),
            [outcome.code[:40] or "rejected" for _, outcome, _ in told],
            [text for _, _, text in told],
        ],
    )
    cases.open_many((_refusal(route, endpoint, *one) for one in told), by=access.SYSTEM)


def _refusal(route: Outbound, endpoint: Endpoint, member: Member, outcome: Outcome, text: str) -> cases.NewCase:
    return cases.NewCase(
        code=route.case, subject=f"delivery:{member.id}", title=f"{endpoint.name} refused: {outcome.code}",
        text=f"{text}. Correct the cause, there or here, then retry the delivery.", owner=route.owner,
        partner=endpoint.partner.code, facility=endpoint.facility, delivery_id=member.id, message_id=member.message_id,
        data={"partner_code": outcome.code, "partner_text": outcome.text},
    )  # fmt: skip
