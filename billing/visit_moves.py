"""What an event does to what is known of a visit. Values in, values out; `Visit.MOVES` decides what may follow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from mappings.canonical import VisitEvent

# The status that an event asks for; "" asks for none.
ASKS: Final = {
    "admit": "in_house",
    "discharge": "discharged",
    "update": "",
    "cancel": "cancelled",
    "reopen": "in_house",
    "merge": "merged",
}
# From where an event may ask for it: what is told again takes back neither a discharge nor a final bill, and only a
# discharge can be taken back. `Visit.MOVES` says what is possible at all.
FROM: Final = {
    "admit": frozenset({"cancelled"}),
    "discharge": frozenset({"in_house"}),
    "reopen": frozenset({"discharged"}),
}
Moves = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitState:
    """A row of `billing.models.Visit` as far as events change it; not `known` is one that no event told of yet."""

    status: str = "in_house"
    facility: str = ""
    visit: str = ""
    patient_class: str = ""
    service: str = ""
    admitted_on: date | None = None
    discharged_on: date | None = None
    merged_into: str = ""
    known: bool = True


def follow(state: VisitState, event: VisitEvent, facility: str, moves: Moves) -> tuple[VisitState, str]:
    """The visit after the event, and why its status did not change although the event asked for that ("" otherwise).

    Told twice, an event changes nothing the second time.
    """
    if state.status == "merged":
        return state, "merged"
    asked = ASKS[event.kind]
    if not state.known and event.kind == "update" and event.discharged_on is not None:
        asked = "discharged"  # the first thing that is heard of a visit may be a correction after its end
    told = _told(state, event, facility)
    if not asked or asked == state.status:
        return replace(told, known=True), ""
    if state.known and (asked not in moves[state.status] or state.status not in FROM.get(event.kind, {state.status})):
        return told, state.status
    if asked == "discharged":
        told = replace(told, discharged_on=event.discharged_on or event.happened_on)
    elif event.kind == "reopen":
        told = replace(told, discharged_on=None)
    elif asked == "merged":
        told = replace(told, merged_into=event.account)
    return replace(told, status=asked, known=True), ""


def _told(state: VisitState, event: VisitEvent, facility: str) -> VisitState:
    """What the event says about the visit; what it leaves out stays. A merge speaks of the surviving account."""
    if event.kind == "merge":
        return replace(state, facility=state.facility or facility)
    ended = state.status in {"discharged", "final_billed"}
    admitted = event.admitted_on or (event.happened_on if event.kind == "admit" and not state.known else None)
    return replace(
        state,
        facility=facility or state.facility,
        visit=event.visit or state.visit,
        patient_class=event.patient_class or state.patient_class,
        service=event.service or state.service,
        admitted_on=admitted or state.admitted_on,
        discharged_on=(event.discharged_on if ended else None) or state.discharged_on,
    )
