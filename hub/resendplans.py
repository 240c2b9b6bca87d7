"""Plans of replays that send again: who may make one, where it may go, and what the receiver promises about doubles."""

from collections.abc import Mapping
from typing import Any

from hub import access, bulk, resending
from hub.access import Actor
from hub.errors import Refused
from hub.models import Endpoint, Replay

LEGS = """
SELECT d.route, d.endpoint_id, count(*), count(DISTINCT d.dispatch_id),
       (SELECT coalesce(sum(o.deliveries), 0) FROM hub_dispatch o WHERE o.id = ANY(array_agg(DISTINCT d.dispatch_id)))
FROM hub_replayitem i JOIN hub_delivery d ON d.id = i.subject_id
WHERE i.replay_id = %s GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
KEYED = "It promises to know the key: what it has it answers with, and nothing is done twice."
UNKEYED = "It does not promise to know the key. It is asked first, and gets only what it says it does not have."
INSIDE = "A listener inside this hub: nothing was sent, and nothing is sent again."


def check(kind: str, mode: str, to: str, filters: Mapping[str, str], *, by: Actor) -> tuple[Mapping[str, str], Any]:
    """The filters as they count, and the destination of a copy. `Refused`: REPLAY_MODE, REPLAY_DESTINATION."""
    if mode not in Replay.MODES:
        raise Refused("REPLAY_MODE", f"{mode!r} is no way to replay; known: {', '.join(Replay.MODES)}.")
    if mode != "copy" and to:
        raise Refused("REPLAY_DESTINATION", "Only a copy goes to another system than before: choose that, or none.")
    if mode == "again":
        return filters, None
    access.require(by, "hub.resend_delivery")
    if kind != "deliveries" or filters.get("status", "").strip() not in ("", "delivered"):
        raise Refused("REPLAY_MODE", "What is sent again is what was delivered: choose deliveries of that status.")
    return {**filters, "status": "delivered"}, _shadow(to, by) if mode == "copy" else None


def _shadow(code: str, by: Actor) -> Endpoint:
    found = Endpoint.objects.filter(code=code.strip(), direction="out", active=True).first()
    if found is None or not (found.facility == "" or access.sees(by, found.facility)):
        raise Refused("REPLAY_DESTINATION", f"There is no active outbound endpoint {code[:40]!r} to send a copy to.")
    if not found.shadow:
        raise Refused(
            "REPLAY_DESTINATION",
            f"{found.name} is no shadow system: it would take the copies for its own. Mark its endpoint as one first.",
        )
    return found


def legs(replay: Replay) -> list[dict[str, Any]]:
    """Where the items of a plan go, how many calls that makes, and what the receiver promises."""
    doors = {door.pk: door for door in Endpoint.objects.filter(direction="out")}
    return [
        _leg(replay, route, doors.get(endpoint_id), items, calls, whole)
        for route, endpoint_id, items, calls, whole in bulk.fetch(LEGS, [replay.pk])
    ]


def _leg(replay: Replay, name: str, door: Endpoint | None, items: int, calls: int, whole: int) -> dict[str, Any]:
    to = replay.destination if replay.mode == "copy" else door
    route = resending.road(name, to) if to is not None else None
    if door is None or to is None:
        return {"name": name, "count": items, "promise": INSIDE}
    if route is None:
        return {
            "name": f"{name} to {to.name}",
            "count": items,
            "promise": "It speaks no format for this: left as it is.",
        }
    told = f"{calls:,} calls go out whole, with {int(whole):,} deliveries in them."
    again = "once more to" if replay.mode == "resend" else "as a copy to"
    return {
        "name": f"{name} {again} {to.name}", "count": items, "promise": f"{KEYED if route.keyed else UNKEYED} {told}",
    }  # fmt: skip
