"""Mappings as staff see them: what is proposed and by whom, what is in force, and the verbs between."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone

from hub import navigation, shapes
from hub.admin import verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.errors import HubError, NotAllowed
from hub.models import Partner
from hub.viewer import Viewer, viewer
from mappings.admin import imports, targets
from mappings.flows import mappings as flows
from mappings.models import Mapping
from mappings.models.crosswalk import DOMAINS


def worth(impact: Any) -> str:
    """The money of an impact in words."""
    amounts = impact.amount.items() if hasattr(impact.amount, "items") else impact.amount
    return " + ".join(shapes.figure(total, currency) for currency, total in sorted(amounts)) or shapes.figure(
        shapes.ZERO
    )


def _approve(mapping: Mapping, data: dict[str, Any], by: Any) -> str:
    done = flows.approve(mapping, by=by)
    return f"Approved. {shapes.count(done.released, 'message')} that waited for it went back into the queue."


def _reject(mapping: Mapping, data: dict[str, Any], by: Any) -> str:
    flows.reject(mapping, reason=data["reason"], by=by)
    return "Rejected. What waits for the code goes on waiting."


def _retire(mapping: Mapping, data: dict[str, Any], by: Any) -> str:
    flows.retire(mapping, on=data["on"], reason=data["reason"], by=by)
    return f"Retired: from {data['on']} on it no longer holds. What was booked with it stays as it is."


def _can_approve(mapping: Mapping, by: Any) -> bool | str:
    if mapping.status != "proposed":
        return False
    if mapping.proposed_by_id == by.user.pk:
        return "You proposed it: somebody else has to approve it."
    return True


KINDS = {name: label for name, label in DOMAINS.items() if name in targets.DOMAINS_WITH_TARGETS}


class RetireForm(verbs.ReasonForm):
    """From when it no longer holds, and why."""

    on = forms.DateField(
        label="First day without it", initial=timezone.localdate, widget=forms.DateInput(attrs={"type": "date"})
    )


class ProposeForm(forms.Form):
    """A mapping that nothing waits for yet."""

    partner = forms.ModelChoiceField(label="Partner", queryset=Partner.objects.filter(active=True))
    domain = forms.ChoiceField(label="Kind of code", choices=list(KINDS.items()))
    source_code = forms.CharField(
        label="The partner's code", max_length=120, help_text="* for whatever has no row of its own."
    )
    facility = forms.CharField(
        label="Only in this facility", max_length=60, required=False,
        help_text="The partner's facility code, or empty for all of them.",
    )  # fmt: skip
    target_code = forms.CharField(label="Our code", max_length=40)
    valid_from = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    valid_to = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(label="Reason", max_length=300, required=False)


@admin.register(Mapping)
class MappingAdmin(imports.ImportMixin, EvidenceAdmin):
    """Proposed by one person, approved by another; nobody edits a row."""

    importing = imports.MAPPINGS
    intro = "What partners' codes mean here, from when to when. One person proposes, another one approves."
    search_hint = "The partner's code or ours"
    order = ("partner__name", "domain", "source_code", "-valid_from")
    columns = (
        Column("Partner's code", "source_code", "code"),
        Column("Our code", "target_code", "code"),
        Column("Kind", lambda m: DOMAINS[m.domain], "short"),
        Column("Partner", lambda m: m.partner.name),
        Column("Facility", lambda m: m.facility or "all", "short"),
        Column("From", "valid_from", "short"),
        Column("To", "valid_to", "short"),
        Column("Proposed by", lambda m: m.proposed_by.get_username()),
        Column("Status", "status", "status"),
    )
    filters = (
        Filter("status", "Status", Mapping.STATUSES, by_field("status")),
        Filter("domain", "Kind", KINDS, by_field("domain")),
    )
    teaches = ("No mappings here.", "Propose one, or open a case of a missing code: it offers likely targets.")
    verbs = (
        verbs.Verb("approve", "Approve", "mappings.approve_mapping", _approve, _can_approve, tone="primary"),
        verbs.Verb(
            "reject", "Reject…", "mappings.approve_mapping", _reject, verbs.moves_to("rejected"), verbs.ReasonForm,
            "danger",
        ),
        verbs.Verb(
            "retire", "Retire…", "mappings.retire_mapping", _retire, verbs.moves_to("retired"), RetireForm, "danger",
            "Ends it on a day. What was booked with it stays as it is.",
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the partner and the people that every row names."""
        return super().get_queryset(request).select_related("partner", "proposed_by", "approved_by")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By either code: this table is small."""
        return queryset.filter(source_code__iexact=term) | queryset.filter(target_code__iexact=term), True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Proposing is the way in."""
        return viewer(request).may("mappings.propose_mapping")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Propose a mapping."""
        who = viewer(request)
        if not self.has_add_permission(request):
            verbs.deny("mappings.propose", Mapping(), who.actor)
        form = ProposeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
            try:
                proposed = flows.propose(**given, by=who.actor)
            except NotAllowed as error:
                verbs.deny("mappings.propose", Mapping(), who.actor, error.text)
            except HubError as error:
                form.add_error(None, error.text)
            else:
                return HttpResponseRedirect(self._url("change", proposed.pk))
        context = {
            **self.admin_site.each_context(request), "title": "Propose a mapping", "form": form, "submit": "Propose",
            "subtitle": "It is in force once somebody else has approved it.",
            "list_url": self._url("changelist"), "list_name": "Mappings",
        }  # fmt: skip
        return TemplateResponse(request, "admin/plain_form.html", context)

    def heading(self, row: Mapping) -> str:
        """Which code means what."""
        return f"{DOMAINS[row.domain]} {row.source_code} → {row.target_code}"

    def under(self, row: Mapping) -> str:
        """What the target is called."""
        return targets.name_of(row.domain, row.target_code)

    def facts(self, row: Mapping, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("Partner", row.partner.name),
            ("Kind", DOMAINS[row.domain]),
            ("Facility", row.facility or "all"),
            ("From", row.valid_from),
            ("To", row.valid_to or "open"),
            ("Proposed by", row.proposed_by.get_username()),
            ("Approved by", row.approved_by.get_username() if row.approved_by else shapes.NOTHING),
            ("Approved", shapes.stamp(row.approved_at)),
            ("Reason", row.reason or shapes.NOTHING),
        ]

    def blocks(self, row: Mapping, who: Viewer) -> list[Block]:
        """What its approval would set free."""
        if row.status != "proposed":
            return []
        impact = flows.impact(row)
        lines, messages = shapes.count(impact.lines, "line"), shapes.count(impact.messages, "message")
        told = (
            f"Approving it sets {lines} of {messages} free, worth {worth(impact)}."
            if impact.lines
            else "Nothing waits for it."
        )
        return [Block("What it would set free", "admin/blocks/sentence.html", {"sentence": told})]


def proposed(who: Viewer) -> QuerySet[Any]:
    """Proposals that wait for a second person."""
    return Mapping.objects.filter(status="proposed")


navigation.register(
    navigation.Section(
        "Mappings", "mappings",
        (navigation.Link("Mappings", "admin:mappings_mapping_changelist", "mappings.view_mapping"),),
        proposed, "waiting for approval",
    )
)  # fmt: skip
