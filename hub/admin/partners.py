"""Partners and endpoints: who is on the other side, and the doors between us."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet

from hub import draining, interventions, navigation, probing, shapes
from hub.admin import verbs
from hub.admin.base import Block, EditableAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.models import Breaker, Endpoint, Partner
from hub.transports import folder_terms, sftp
from hub.viewer import Viewer


def state(row: Any) -> Any:
    """Whether an endpoint or partner works, as a pill."""
    if not row.active:
        return shapes.pill("inactive", "Inactive")
    if getattr(row, "paused", False):
        return shapes.pill("paused", "Paused")
    if getattr(row, "draining_since", None) is not None:
        found = draining.state(row)
        return shapes.pill(found, found.capitalize())
    circuit = getattr(row, "breaker", None)
    if circuit is not None and circuit.status != "closed":
        return shapes.pill(f"circuit_{circuit.status}", CIRCUITS[circuit.status])
    return shapes.pill("active", "Active")


CIRCUITS = {"closed": "Circuit closed", "open": "Circuit open", "half_open": "Circuit: probing"}


def circuit_told(row: Endpoint) -> str:
    """What the circuit of an outbound endpoint does, and why, in words for whoever is on call."""
    circuit: Breaker | None = getattr(row, "breaker", None)
    if circuit is None or (circuit.status == "closed" and not circuit.failures):
        return "Closed: calls go out."
    last = f"The last one said: {circuit.text or circuit.code or 'nothing'}."
    failed = shapes.count(circuit.failures, "call", "calls") + " in a row failed."
    if circuit.status == "closed":
        return f"Closed: calls go out. {failed} {last}"
    if circuit.status == "half_open":
        return (
            f"One call is probing whether the partner is back. {failed} {last} An answer closes the circuit by itself."
        )
    assert circuit.opened_at is not None
    assert circuit.probe_at is not None
    why = f"{failed} {last}" if circuit.failures else circuit.text
    return (
        f"Open since {shapes.clock(circuit.opened_at)}: nothing is sent, everything waits. {why} One call probes at "
        f"{shapes.clock(circuit.probe_at)}; an answer closes the circuit by itself, and what waits goes out in order."
    )


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


FOLDER_TOLD = (
    '"folder" (its path), and where the defaults do not fit: "pattern" (*), "complete" (stable, rename or marker), '
    '"stable_s" and "poll_s" (10 seconds), "max_bytes" (50000000), "same_name" (case or load), "trailer" (begun or '
    "required)."
)
# What the settings of a transport are, for whoever sets an endpoint up; the whole of it is in the docs.
SETTINGS_TOLD = {
    "folder": FOLDER_TOLD,
    "sftp": f'"host", "user" and "host_key" (as a line of known_hosts has it); {FOLDER_TOLD}',
    "http": 'Outbound: "base_url", where the partner answers; "connect_s" and "read_s" in seconds.',
    "mllp": 'Outbound: "host", and "tls" (true, or ca, certificate, key, server_name); "resend"; "read_s" in seconds.',
}
SETTINGS_DOCS = "An object of names and values. More, also for what is in HL7 messages: docs/integrating/endpoints.md."


# What a transport cannot do without, or cannot use.
RULES = {"folder": (folder_terms.problems,), "sftp": (folder_terms.problems, sftp.problems)}


class EndpointForm(forms.ModelForm):
    """Rules that span fields, said beside the field that is wrong."""

    class Meta:
        model = Endpoint
        fields = "__all__"  # noqa: DJ007  (the admin's fieldsets choose; secret and paused are not editable there)
        help_texts = {"settings": SETTINGS_TOLD}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = SETTINGS_TOLD.get(self.instance.transport)
        every = " ".join(f"{Endpoint.TRANSPORTS[name]}: {text}" for name, text in SETTINGS_TOLD.items())
        if "settings" in self.fields:  # whoever may only look has no fields
            self.fields["settings"].help_text = f"{told or every} {SETTINGS_DOCS}"

    def clean_settings(self) -> dict[str, Any]:
        """The partner's quirks are an object of names and values."""
        given = self.cleaned_data["settings"]
        if not isinstance(given, dict):
            raise forms.ValidationError('Write an object, e.g. {"base_url": "https://erp.example"}, or {} for none.')
        wrong = [problem for rule in RULES.get(self.cleaned_data.get("transport", ""), ()) for problem in rule(given)]
        if wrong:
            raise forms.ValidationError([f"{problem[0].upper()}{problem[1:]}." for problem in wrong])
        return given


def _probe(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    return probing.probe(endpoint, by=by)


def _pause(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.pause_endpoint(endpoint, reason=data["reason"], by=by)
    return f"{endpoint.name} is paused: what arrives is stored, nothing is read or sent."


def _resume(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.resume_endpoint(endpoint, by=by)
    return f"{endpoint.name} goes on."


def _drain(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    draining.drain(endpoint, reason=data["reason"], by=by)
    return f"{endpoint.name} takes nothing new. This page says when it is drained."


def _take_again(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    draining.take_again(endpoint, by=by)
    return f"{endpoint.name} takes what is new again."


def _open_circuit(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    breaker = interventions.open_circuit(endpoint, reason=data["reason"], by=by)
    assert breaker.probe_at is not None
    return f"{endpoint.name} is not called any more. One call probes at {shapes.clock(breaker.probe_at)}."


def _close_circuit(endpoint: Endpoint, data: dict[str, Any], by: Any) -> str:
    interventions.close_circuit(endpoint, reason=data["reason"], by=by)
    return f"{endpoint.name} is called again, beginning with what has waited longest."


def _circuit_is(*statuses: str) -> Any:
    def ready(endpoint: Endpoint, by: Any) -> bool:
        circuit = getattr(endpoint, "breaker", None)
        status = "closed" if circuit is None else circuit.status
        return endpoint.direction == "out" and endpoint.active and status in statuses

    return ready


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
    sending_fieldsets = (
        ("What goes out", {"fields": ("shadow",)}),
        ("Pace of calls", {"fields": ("calls_per_minute", "calls_burst")}),
        ("Trying again", {"fields": ("retry_first_s", "retry_factor", "retry_cap_s", "retry_age_h")}),
        ("When the partner is away", {"fields": ("breaker_failures", "breaker_pause_s", "breaker_cap_s")}),
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
        verbs.Verb("probe", "Test the connection", "hub.change_endpoint", _probe, lambda e, by: probing.can(e)),
        verbs.Verb("resume", "Resume", "hub.pause_endpoint", _resume, lambda e, by: e.paused, tone="primary"),
        verbs.Verb(
            "drain", "Drain…", "hub.drain_endpoint", _drain, lambda e, by: e.active and e.draining_since is None,
            verbs.ReasonForm, help="Takes nothing new, finishes what is open, then says that it is drained: before the "
            "partner moves, or the endpoint is switched off. Senders are told to wait; new deliveries wait here.",
        ),
        verbs.Verb(
            "take_again", "Take again", "hub.drain_endpoint", _take_again,
            lambda e, by: e.draining_since is not None, tone="primary",
        ),
        verbs.Verb(
            "open_circuit", "Open the circuit…", "hub.switch_breaker", _open_circuit,
            _circuit_is("closed", "half_open"), verbs.ReasonForm,
            help="Nothing is sent until one call, after the pause, finds the partner answering. To hold it back until "
            "you say so, pause it.",
        ),
        verbs.Verb(
            "close_circuit", "Close the circuit now…", "hub.switch_breaker", _close_circuit,
            _circuit_is("open", "half_open"), verbs.ReasonForm, "primary",
            "The partner is back: what waits is sent at once. If it is still away, the circuit opens again.",
        ),
        verbs.Verb(
            "set_secret", "Set the secret…", "hub.change_endpoint", _set_secret,
            lambda e, by: e.direction == "out" or e.transport == "sftp",
            SecretForm, help="What the partner knows us by, sent with every call.",
        ),
    )  # fmt: skip

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the partner's name and the circuit's state."""
        return queryset.select_related("partner", "breaker")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By code or name."""
        return of_words(queryset, term)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        """Stored rows and URLs carry the code and the direction: they do not change."""
        return ("code", "direction") if obj else ()

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        """How we call a partner is asked where we call one."""
        return self.fieldsets if obj is not None and obj.direction == "in" else self.fieldsets + self.sending_fieldsets

    def state(self, row: Endpoint) -> Any:
        """Whether it works."""
        return state(row)

    def under(self, row: Endpoint) -> str:
        """What is left where it is drained, and why nothing is sent where a circuit is open."""
        if row.draining_since is not None:
            return draining.told(row)
        circuit = getattr(row, "breaker", None)
        return circuit_told(row) if circuit is not None and circuit.status != "closed" else ""

    def blocks(self, row: Endpoint, who: Viewer) -> list[Block]:
        """What the circuit does; whether a secret is kept, which is never shown."""
        kept = "A secret is kept, sealed. It is never shown again." if row.secret else "No secret is kept."
        secret = Block("Secret", "admin/blocks/sentence.html", {"sentence": kept})
        if row.direction != "out":
            return [secret] if row.transport == "sftp" else []
        return [Block("Circuit", "admin/blocks/sentence.html", {"sentence": circuit_told(row)}), secret]


navigation.register(navigation.Section("Today", "today", (navigation.Link("Today", "admin:index"),)))
navigation.register(navigation.Section("Set-up", "setup", (navigation.Link("Set-up", "admin:setup"),)))
navigation.put(
    "Systems",
    navigation.Link("Partners", "admin:hub_partner_changelist", "hub.view_partner", "Who is on the other side"),
    navigation.Link(
        "Endpoints", "admin:hub_endpoint_changelist", "hub.view_endpoint", "Doors: ports, addresses, pause and resume"
    ),
)
