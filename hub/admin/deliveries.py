"""Deliveries and dispatches: what leaves the hub, for whom, and what a partner made of it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hub import ids, interventions, lineage, navigation, shapes
from hub.admin import replays, verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.admin.listing import Listing
from hub.models import Delivery, Dispatch, Endpoint, Fact
from hub.viewer import Viewer

UNSETTLED = frozenset({"sending", "stopped", "blocked"})  # served by the partial index delivery_unsettled
OPEN_CALLS = frozenset({"sending", "waiting", "in_doubt"})  # served by the partial index dispatch_open
LEGS_SHOWN = 200


def _retry(delivery: Delivery, data: dict[str, Any], by: Any) -> str:
    interventions.retry_delivery(delivery, by=by)
    return "The delivery is back in the queue; those that wait behind it follow in their order."


def _waive(delivery: Delivery, data: dict[str, Any], by: Any) -> str:
    interventions.waive_delivery(delivery, reason=data["reason"], by=by)
    return "The delivery is waived; later ones of its key go on."


def _can_retry(delivery: Delivery, by: Any) -> bool | str:
    if delivery.status == "blocked":
        return "It waits behind a stopped delivery of its own key: retry or waive that one."
    return delivery.status == "stopped"


class ResolveForm(forms.Form):
    """What a look-up by hand found at the partner."""

    outcome = forms.ChoiceField(
        label="What the partner has",
        choices=(("delivered", "It is there, under this reference"), ("absent", "It is not there: send it again")),
        widget=forms.RadioSelect,
    )
    reference = forms.CharField(label="The partner's reference", max_length=120, required=False)
    reason = forms.CharField(label="How you found out", max_length=300)


def _resolve(call: Dispatch, data: dict[str, Any], by: Any) -> str:
    done = interventions.resolve_dispatch(
        call, outcome=data["outcome"], reference=data["reference"], reason=data["reason"], by=by
    )
    return f"The call is {Dispatch.STATUSES[done.status].lower()} now."


def _retry_call(call: Dispatch, data: dict[str, Any], by: Any) -> str:
    told = shapes.count(interventions.retry_dispatch(call, by=by), "delivery is", "deliveries are")
    return f"{told} back in the queue; those that wait behind them follow in their order."


def outbound(who: Viewer) -> dict[str, str]:
    """The outbound endpoints this person sees, for a filter."""
    doors = who.scope(Endpoint.objects.filter(direction="out"))
    return {str(pk): code for pk, code in doors.order_by("code").values_list("pk", "code")}


class ByEndpoint(EvidenceAdmin):
    """Rows seen by whoever sees their endpoint's facility; inner reactions belong to nobody's facility."""

    keyset = True
    facility_field = "endpoint__facility"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the endpoint that every row names."""
        return super().get_queryset(request).select_related("endpoint__partner")


@admin.register(Delivery)
class DeliveryAdmin(ByEndpoint):
    """One fact for one listener."""

    intro = "Facts on their way to whoever listens: other parts of the hub, and partners."
    search_hint = "Delivery, fact or dispatch id; or a key"
    teaches = (
        "No deliveries in this window of time.",
        "A delivery is written together with the fact it carries. Widen the time above to see older ones.",
    )
    columns = (
        Column("Key", "key", "code"),
        Column("Made", lambda d: ids.moment(d.pk), "time"),
        Column("Route", "route", "short"),
        Column("To", lambda d: d.endpoint.name if d.endpoint else "inside the hub"),
        Column("Attempts", "attempts", "num"),
        Column("Settled", "settled_at", "time"),
        Column("Status", "status", "status"),
        Column("Problem", "problem_code", "code"),
    )
    filters = (
        Filter("status", "Status", Delivery.STATUSES, by_field("status"), timeless=UNSETTLED),
        Filter("endpoint", "Partner's endpoint", outbound, by_field("endpoint_id")),
    )
    verbs = (
        verbs.Verb("retry", "Retry", "hub.retry_delivery", _retry, _can_retry, tone="primary"),
        verbs.Verb(
            "waive", "Waive…", "hub.waive_delivery", _waive, verbs.moves_to("waived"), verbs.ReasonForm, "danger",
            "It is not made, and later ones of its key go on.",
        ),
    )  # fmt: skip

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By one of its ids, each of them indexed; else by key within the window of time."""
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.filter(key=term), False
        same = Delivery.objects.filter(pk=wanted).values("pk")
        of_fact = Delivery.objects.filter(fact_id=wanted).values("pk")
        of_call = Delivery.objects.filter(dispatch_id=wanted).values("pk")
        return queryset.filter(pk__in=same.union(of_fact, of_call)), True

    def tools(self, listing: Listing, who: Viewer) -> list[tuple[str, str]]:
        """A replay of what the list shows."""
        may = who.may("hub.plan_replay")
        return [("Replay these…", replays.plan_link("deliveries", listing))] if may else []

    def facts(self, row: Delivery, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("Route", row.route),
            ("To", row.endpoint.name if row.endpoint else "inside the hub"),
            ("Key (kept in order)", shapes.code(row.key)),
            ("Made", shapes.stamp(ids.moment(row.pk))),
            ("Attempts", row.attempts),
            ("Settled", shapes.stamp(row.settled_at)),
            ("Shares a call with", shapes.code(row.group)),
            ("Call", shapes.link("admin:hub_dispatch_change", row.dispatch_id, "open the call")),
        ]

    def under(self, row: Delivery) -> str:
        """Why it stopped, where it did."""
        return f"{row.problem_code}: {row.problem}" if row.problem else ""

    def blocks(self, row: Delivery, who: Viewer) -> list[Block]:
        """The fact itself, and the life of the document that it tells of."""
        fact = Fact.objects.filter(pk=row.fact_id).first()
        if fact is None:
            return []
        payload = sorted(fact.payload.items()) if isinstance(fact.payload, dict) else [("payload", fact.payload)]
        told = Block(f"Fact {fact.name}", "admin/blocks/payload.html", {"payload": payload})
        message = lineage.message_of(fact.message_id)
        if message is None:
            return [told]
        steps = lineage.of_message(message, who)
        return [told, Block("Lineage", "admin/blocks/timeline.html", {"steps": steps, "message": message})]


@admin.register(Dispatch)
class DispatchAdmin(ByEndpoint):
    """One call to a partner with one or more deliveries."""

    intro = "Calls to partners. The id of a call is its idempotency key: it stays the same however often it is tried."
    search_hint = "Call id"
    teaches = ("No calls in this window of time.", "Deliveries for a partner are gathered and sent together as a call.")
    columns = (
        Column("Call", lambda d: f"{d.endpoint.code} …{str(d.pk)[-6:]}", "code"),
        Column("Made", "created_at", "time"),
        Column("Route", "route", "short"),
        Column("Deliveries", "deliveries", "num"),
        Column("Lines", "weight", "num"),
        Column("Attempts", "attempts", "num"),
        Column("Settled", "settled_at", "time"),
        Column("Reference", "reference", "code"),
        Column("Status", "status", "status"),
        Column("Answer", "code", "code"),
    )
    filters = (
        Filter("status", "Status", Dispatch.STATUSES, by_field("status"), timeless=OPEN_CALLS),
        Filter("endpoint", "Endpoint", outbound, by_field("endpoint_id")),
    )
    verbs = (
        verbs.Verb(
            "resolve", "Say what the partner has…", "hub.resolve_dispatch", _resolve,
            lambda call, by: call.status == "in_doubt", ResolveForm, "primary",
            "Nobody knows whether the call was done. Look it up at the partner by its id first.",
        ),
        verbs.Verb(
            "retry", "Retry all that stopped", "hub.retry_delivery", _retry_call,
            lambda call, by: call.status == "given_up", tone="primary",
            help="The call was not done. What it held goes out again in new calls, and its time begins anew.",
        ),
    )  # fmt: skip

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By id."""
        try:
            return queryset.filter(pk=UUID(term)), True
        except ValueError:
            return queryset.none(), True

    def heading(self, row: Dispatch) -> str:
        """Where it went."""
        return f"Call to {row.endpoint.name}"

    def under(self, row: Dispatch) -> str:
        """The partner's own words."""
        return f"{row.code}: {row.text}" if row.text else ""

    def facts(self, row: Dispatch, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("Route", row.route),
            ("Idempotency key", shapes.code(row.pk)),
            ("Deliveries", row.deliveries),
            ("Lines", row.weight),
            ("Attempts", row.attempts),
            ("Made", shapes.stamp(row.created_at)),
            ("Next try", shapes.stamp(row.due_at if row.status == "waiting" else None)),
            ("Settled", shapes.stamp(row.settled_at)),
            ("Partner's reference", shapes.code(row.reference)),
        ]

    def blocks(self, row: Dispatch, who: Viewer) -> list[Block]:
        """The deliveries that travelled in it."""
        legs = list(Delivery.objects.filter(dispatch_id=row.pk).order_by("id")[:LEGS_SHOWN])
        return [Block("Deliveries in this call", "admin/blocks/deliveries.html", {"deliveries": legs})]


def stuck(who: Viewer) -> QuerySet[Any]:
    """Deliveries that wait for a person."""
    return who.scope(Delivery.objects.filter(status__in=["stopped", "blocked"]), "endpoint__facility")


navigation.register(
    navigation.Section(
        "Deliveries", "deliveries",
        (
            navigation.Link("Deliveries", "admin:hub_delivery_changelist", "hub.view_delivery"),
            navigation.Link("Calls to partners", "admin:hub_dispatch_changelist", "hub.view_dispatch"),
        ),
        stuck, "stopped", "bad",
    )
)  # fmt: skip
