"""Exception cases: what needs a person, what it is worth, what to press. Domains add panels for their kinds of case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Count, DecimalField, F, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from hub import cases, lineage, navigation, shapes
from hub.access import ROLES
from hub.admin import verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.models import ExceptionCase, Message, Waiting
from hub.viewer import Viewer, viewer

WAITING_SHOWN = 25
MONEY: Any = DecimalField(max_digits=19, decimal_places=4)


@dataclass(frozen=True, slots=True)
class Healing:
    """What a domain adds to its kinds of case: panels above everything else, and verbs."""

    suits: Callable[[ExceptionCase], bool]
    blocks: Callable[[ExceptionCase, Viewer], list[Block]]
    acts: tuple[verbs.Verb, ...] = ()
    watched: frozenset[str] = frozenset()  # verbs after which the page watches what waits go through


healings: list[Healing] = []


def register(healing: Healing) -> None:
    """Add a domain's help for its kinds of case."""
    healings.append(healing)


@dataclass(frozen=True, slots=True)
class Stake:
    """What waits for a case."""

    lines: int
    messages: int
    since: Any
    worth: Sequence[tuple[str, Decimal]]  # per currency

    @property
    def said(self) -> str:
        """The money in words; currencies are never added up."""
        return " + ".join(shapes.figure(total, currency) for currency, total in self.worth) or shapes.figure(Decimal(0))


def stake(case: ExceptionCase) -> Stake:
    """Lines, messages and money that wait for a case, from the rows themselves."""
    rows = (
        Waiting.objects.filter(case=case).values("currency").order_by("currency")
        .annotate(
            lines=Count("id"), messages=Count("message_id", distinct=True), total=Sum("amount"), first=Min("since"),
        )
    )  # fmt: skip
    found = list(rows)
    since = min((row["first"] for row in found), default=None)
    return Stake(
        sum(row["lines"] for row in found), sum(row["messages"] for row in found), since,
        [(row["currency"], row["total"]) for row in found],
    )  # fmt: skip


def with_worth(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Each case with what waits for it, or its own amount where nothing waits."""
    waiting = Waiting.objects.filter(case=OuterRef("pk")).values("case")
    return queryset.annotate(
        lines=Coalesce(Subquery(waiting.annotate(n=Count("id")).values("n")), 0),
        waits=Subquery(waiting.annotate(total=Sum("amount")).values("total"), output_field=MONEY),
        worth=Coalesce("waits", F("amount"), output_field=MONEY),
    )


def roles(who: Viewer) -> dict[str, str]:
    """The roles that own cases."""
    return dict(ROLES)


def of_status(queryset: Any, value: str) -> QuerySet[Any]:
    """ "active" stands for open and assigned, which is what most people want to see."""
    return queryset.filter(status__in=cases.OPEN) if value == "active" else queryset.filter(status=value)


def of_severity(queryset: Any, value: str) -> QuerySet[Any]:
    """By severity."""
    return queryset.filter(severity=int(value))


class AssignForm(forms.Form):
    """Who takes the case."""

    to = forms.ModelChoiceField(label="Give it to", queryset=get_user_model().objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        staff = get_user_model().objects.filter(is_active=True, is_staff=True).order_by("username")
        self.fields["to"].queryset = staff  # type: ignore[attr-defined]


def _assign(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    cases.assign(case, to=data["to"], by=by)
    return f"The case is with {data['to'].get_username()} now."


def _take(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    cases.assign(case, to=by.user, by=by)
    return "The case is yours."


def _resolve(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    cases.resolve(case, reason=data["reason"], by=by)
    return "The case is resolved."


def _waive(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    cases.waive(case, reason=data["reason"], by=by)
    return "The case is waived. The reason is kept."


def _retry(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    released = cases.release(case, by=by)
    return f"{shapes.count(released, 'message')} went back into the queue."


def _can_take(case: ExceptionCase, by: Any) -> bool:
    return "assigned" in case.MOVES[case.status] and case.assignee_id != by.user.pk


def _can_retry(case: ExceptionCase, by: Any) -> bool:
    return case.status in cases.OPEN and Waiting.objects.filter(case=case).exists()


def _can_resolve(case: ExceptionCase, by: Any) -> bool | str:
    if case.status not in cases.OPEN:
        return False
    return "Documents still wait for it: heal or retry them first." if _can_retry(case, by) else True


VERBS = (
    verbs.Verb("take", "Take it", "hub.assign_exceptioncase", _take, _can_take),
    verbs.Verb("assign", "Give it to…", "hub.assign_exceptioncase", _assign, verbs.moves_to("assigned"), AssignForm),
    verbs.Verb(
        "retry", "Retry what waits", "hub.retry_exceptioncase", _retry, _can_retry,
        help="Tries again as things are now; what still fails comes back here.",
    ),
    verbs.Verb("resolve", "Resolve…", "hub.resolve_exceptioncase", _resolve, _can_resolve, verbs.ReasonForm),
    verbs.Verb(
        "waive", "Waive…", "hub.waive_exceptioncase", _waive, verbs.moves_to("waived"), verbs.ReasonForm, "danger",
        "Closes the case and lets the cause stand. What waits stays held.",
    ),
)  # fmt: skip
WATCHED = frozenset({"retry"})


@admin.register(ExceptionCase)
class CaseAdmin(EvidenceAdmin):
    """One cause, one case."""

    facility_field = "facility"
    change_form_template = "admin/hub/case.html"
    intro = "What needs a person: one case for each cause, with everything that waits for it."
    search_hint = "Code of the case, or words of its title"
    order = ("-worth", "opened_at")
    teaches = (
        "No cases here. That is good news.",
        (
            "A case opens when the hub cannot go on without a person: a code without a mapping, a message that cannot "
            "be read, a partner that said no."
        ),
    )
    columns = (
        Column("Case", "title"),
        Column("Worth", "worth", "money"),
        Column("Lines", "lines", "num"),
        Column("Owner", lambda c: ROLES.get(c.owner, c.owner), "short"),
        Column("Facility", "facility", "short"),
        Column("Opened", "opened_at", "ago"),
        Column("Severity", lambda c: severity(c.severity), "status"),
        Column("With", lambda c: c.assignee.get_username() if c.assignee else ""),
        Column("Status", "status", "status"),
    )
    filters = (
        Filter(
            "status", "Status", {"active": "Open", **{k: v for k, v in ExceptionCase.STATUSES.items() if k != "open"}},
            of_status, default="active",
        ),
        Filter("owner", "Owner", roles, by_field("owner"), everything="Everybody's"),
        Filter("severity", "Severity", {str(k): v for k, v in ExceptionCase.SEVERITIES.items()}, of_severity),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the person who has it."""
        return super().get_queryset(request).select_related("assignee")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With what waits, so that the list can be read by money."""
        return with_worth(queryset)

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By code or by words of the title: this table is small."""
        found = queryset.filter(code__iexact=term)
        return (found, True) if found.exists() else (queryset.filter(title__icontains=term), True)

    def get_urls(self) -> list[URLPattern]:
        """One more door: how far what was released has come."""
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<path:object_id>/progress/", view, name="hub_exceptioncase_progress"), *super().get_urls()]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How many of the lines that waited went through, for the page that watches."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        case = self.find(request, object_id)
        return JsonResponse(progress(case, request.GET.get("of", "")))

    def heading(self, row: ExceptionCase) -> str:
        """Its title."""
        return row.title

    def under(self, row: ExceptionCase) -> str:
        """What happened and what to do."""
        return row.text

    def verbs_of(self, row: ExceptionCase) -> tuple[verbs.Verb, ...]:
        """What heals its cause first, then what every case knows."""
        return (*(verb for healing in _healings(row) for verb in healing.acts), *VERBS)

    def buttons(self, row: ExceptionCase, who: Viewer) -> list[verbs.Button]:
        """The general verbs; the healing ones stand in their own panel."""
        own = {verb.name for verb in VERBS}
        return [button for button in super().buttons(row, who) if button.verb.name in own]

    def onward(self, row: ExceptionCase, verb: str) -> str:
        """After a release, to the page that watches: its address carries how many lines waited."""
        url = self._url("change", row.pk)
        watched = WATCHED.union(*(healing.watched for healing in _healings(row)))
        lines = Waiting.objects.filter(case=row).count() if verb in watched else 0
        return f"{url}?of={lines}" if lines else url

    def facts(self, row: ExceptionCase, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("Code", shapes.code(row.code)),
            ("Severity", severity(row.severity)),
            ("Owner", ROLES.get(row.owner, row.owner)),
            ("With", row.assignee.get_username() if row.assignee else "nobody yet"),
            ("Facility", row.facility or shapes.NOTHING),
            ("Opened", shapes.stamp(row.opened_at)),
            ("Seen again", f"{shapes.count(row.seen - 1, 'time')}, last {shapes.clock(row.last_seen_at)}"
             if row.seen > 1 else "not yet"),
            ("Due", due(row)),
            *([("Closed", shapes.stamp(row.closed_at)), ("Why", row.reason)] if row.closed_at else []),
        ]  # fmt: skip

    def blocks(self, row: ExceptionCase, who: Viewer) -> list[Block]:
        """What waits, and the document behind it; what heals it stands above, see `page`."""
        found = []
        waiting = list(Waiting.objects.filter(case=row).order_by("id")[: WAITING_SHOWN + 1])
        if waiting:
            context = {"waiting": waiting[:WAITING_SHOWN], "more": len(waiting) > WAITING_SHOWN, "stake": stake(row)}
            found.append(Block("What waits for it", "admin/blocks/waiting.html", context))
        message = lineage.message_of(row.message_id)
        if message is not None and who.may("hub.view_message"):
            context = {"steps": lineage.of_message(message, who), "message": message}
            found.append(Block("The message behind it", "admin/blocks/timeline.html", context))
        return found

    def page(
        self, request: HttpRequest, row: ExceptionCase, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page; while something is being released it says how far that has come."""
        who = viewer(request)
        healing = [block for healing in _healings(row) for block in healing.blocks(row, who)]
        extra = {"stake": stake(row), "healing": healing, "delivery": row.delivery_id}
        of = request.GET.get("of", "")
        if of:
            url = reverse("admin:hub_exceptioncase_progress", args=[row.pk]) + f"?of={of}"
            state = progress(row, of)
            extra |= {"progress": state, "progress_url": url, "here": request.path}
            if not state["finished"]:
                extra["healing"] = []  # it is being healed: nothing to press
        return super().page(request, row, {**extra, **(extra_context or {})})


def _healings(case: ExceptionCase) -> list[Healing]:
    return [healing for healing in healings if healing.suits(case)]


def progress(case: ExceptionCase, of: str) -> dict[str, Any]:
    """How many of `of` lines went through. `of` comes from an address: a damaged one only spoils the figure shown."""
    waiting = Waiting.objects.filter(case=case)
    left = waiting.count()
    total = max(min(int(of), 1_000_000) if of.isascii() and of.isdigit() and len(of) < 8 else left, left)
    done = total - left
    moving = left and Message.objects.filter(pk__in=waiting.values("message_id"), status="received").exists()
    said = f"{done:,} of {shapes.count(total, 'line')} went through."
    if left and not moving:
        said += f" {left:,} still wait."
    return {"done": done, "of": total, "left": left, "finished": not moving, "said": said}


def severity(level: int) -> Any:
    """A severity as a pill."""
    label = ExceptionCase.SEVERITIES[level]
    return shapes.pill(label.lower(), label)


def due(case: ExceptionCase) -> Any:
    """When somebody should have looked."""
    if case.due_at is None or case.closed_at:
        return shapes.NOTHING
    late = timezone.now() - case.due_at
    return shapes.pill("high", f"late by {shapes.age(late)}") if late.total_seconds() > 0 else shapes.stamp(case.due_at)


def active(who: Viewer) -> QuerySet[Any]:
    """Cases that nobody has closed yet."""
    return who.scope(ExceptionCase.objects.filter(status__in=cases.OPEN))


navigation.register(
    navigation.Section(
        "Cases", "cases",
        (
            navigation.Link("Cases", "admin:hub_exceptioncase_changelist", "hub.view_exceptioncase"),
            navigation.Link("Late", "admin:late", "hub.view_overdue"),
            navigation.Link("Late items", "admin:hub_overdue_changelist", "hub.view_overdue"),
        ),
        active, "open",
    )
)  # fmt: skip
