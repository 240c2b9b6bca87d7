"""Partners and endpoints: who is on the other side, and the doors between us."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet

from hub import interventions, navigation, shapes
from hub.admin import verbs
from hub.admin.base import Block, EditableAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.models import Endpoint, Partner
from hub.viewer import Viewer


def state(row: Any) -> Any:
    """Whether an endpoint or partner works, as a pill."""
    if not row.active:
        return shapes.pill("inactive", "Inactive")
    return shapes.pill("paused", "Paused") if getattr(row, "paused", False) else shapes.pill("active", "Active")


def of_words(queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
    """By code or name: these tables are small."""
    return queryset.filter(code__icontains=term) | queryset.filter(name__icontains=term), True


@admin.register(Partner)
class PartnerAdmin(EditableAdmin):
    """A system on the other side."""

    intro = "The systems on the other side. Codes are mapped per partner."
    search_hint = "Code or name"
    order = ("name",)
    fields = ("code", "name", "kind", "active")
    columns = (
        Column("Name", "name"),
        Column("Code", "code", "code"),
        Column("Kind", lambda p: Partner.KINDS[p.kind]),
        Column("Status", state, "status"),
    )
    filters = (Filter("kind", "Kind", Partner.KINDS, by_field("kind")),)
    teaches = ("No partners yet.", "Add the first system that sends to you or receives from you.")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By code or name."""
        return of_words(queryset, term)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        """A code that rows were stored under does not change."""
        return ("code",) if obj else ()


class EndpointForm(forms.ModelForm):
    """Rules that span fields, said beside the field that is wrong."""

    class Meta:
        model = Endpoint
        fields = "__all__"  # noqa: DJ007  (the admin's fieldsets choose; secret and paused are not editable there)

    def clean_settings(self) -> dict[str, Any]:
        """The partner's quirks are an object of names and values."""
        given = self.cleaned_data["settings"]
        if not isinstance(given, dict):
            raise forms.ValidationError('Write an object, e.g. {"base_url": "https://erp.example"}, or {} for none.')
        return given


def _pause(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.pause_endpoint(endpoint, reason=data["reason"], by=by)
    return f"{endpoint.name} is paused: what arrives is stored, nothing is read or sent."


def _resume(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.resume_endpoint(endpoint, by=by)
    return f"{endpoint.name} goes on."


class SecretForm(forms.Form):
    """The partner's token; never filled in again, not even after an error."""

    secret = forms.CharField(
        label="New secret", max_length=4000, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Replaces the one that is kept. Sealed at once, never shown again.",
    )  # fmt: skip


def _set_secret(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.set_secret(endpoint, secret=data["secret"], by=by)
    return f"The secret of {endpoint.name} is sealed. The next call uses it."


@admin.register(Endpoint)
class EndpointAdmin(EditableAdmin):
    """One door of one partner."""

    form = EndpointForm
    facility_field = "facility"
    intro = "The doors between the hub and its partners: where documents come in or go out, and on what terms."
    search_hint = "Code or name"
    order = ("direction", "code")
    fieldsets = (
        (None, {"fields": ("partner", "code", "name", "active")}),
        ("Door", {"fields": ("direction", "format", "transport", "facility", "port", "allowed_peers")}),
        ("Who may use it", {"fields": ("sending_application", "sending_facility", "production")}),
        ("Terms", {"fields": ("concurrency", "backlog_limit", "silent_after_minutes", "settings")}),
    )
    columns = (
        Column("Name", "name"),
        Column("Code", "code", "code"),
        Column("Partner", lambda e: e.partner.name),
        Column("Direction", lambda e: Endpoint.DIRECTIONS[e.direction], "short"),
        Column("Format", lambda e: Endpoint.FORMATS.get(e.format, e.format), "short"),
        Column("Transport", lambda e: f"{Endpoint.TRANSPORTS[e.transport]} {e.port or ''}"),
        Column("Facility", "facility", "short"),
        Column("Status", state, "status"),
    )  # fmt: skip
    filters = (Filter("direction", "Direction", Endpoint.DIRECTIONS, by_field("direction")),)
    teaches = (
        "No endpoints yet.",
        "Add one door for each feed that sends to you, and one for each system you send to.",
    )
    verbs = (
        verbs.Verb(
            "pause", "Pause…", "hub.pause_endpoint", _pause, lambda e, by: e.active and not e.paused,
            verbs.OptionalReasonForm, help="What arrives is still stored and acknowledged; nothing is read or sent.",
        ),
        verbs.Verb("resume", "Resume", "hub.pause_endpoint", _resume, lambda e, by: e.paused, tone="primary"),
        verbs.Verb(
            "set_secret", "Set the secret…", "hub.change_endpoint", _set_secret, lambda e, by: e.direction == "out",
            SecretForm, help="What the partner knows us by, sent with every call.",
        ),
    )  # fmt: skip

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the partner's name."""
        return queryset.select_related("partner")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By code or name."""
        return of_words(queryset, term)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        """Stored rows and URLs carry the code and the direction: they do not change."""
        return ("code", "direction") if obj else ()

    def state(self, row: Endpoint) -> Any:
        """Whether it works."""
        return state(row)

    def blocks(self, row: Endpoint, who: Viewer) -> list[Block]:
        """Whether a secret is kept; it is never shown."""
        if row.direction != "out":
            return []
        kept = "A secret is kept, sealed. It is never shown again." if row.secret else "No secret is kept."
        return [Block("Secret", "admin/blocks/sentence.html", {"sentence": kept})]


navigation.register(navigation.Section("Today", "today", (navigation.Link("Today", "admin:index"),)))
navigation.register(navigation.Section("Set-up", "setup", (navigation.Link("Set-up", "admin:setup"),)))
navigation.put(
    "Systems",
    navigation.Link("Partners", "admin:hub_partner_changelist", "hub.view_partner", "Who is on the other side"),
    navigation.Link(
        "Endpoints", "admin:hub_endpoint_changelist", "hub.view_endpoint", "Doors: ports, addresses, pause and resume"
    ),
)
