"""The form in which a replay is planned: one field for each filter that its kind knows."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from hub import selections
from hub.admin.columns import SPANS
from hub.models import Delivery, Endpoint, Message, Replay
from hub.viewer import Viewer

SIDES = {"messages": "in", "deliveries": "out"}
MODELS: dict[str, Any] = {"messages": Message, "deliveries": Delivery}
HELP = {
    "since": "Leave it empty only with a status that waits (stopped, blocked, held), or with a case.",
    "case": "The number of a case: what it is about, and what waits for it.",
    "problem_code": "For example IF_FIELD.",
}


def _choices(name: str, kind: str, who: Viewer) -> list[tuple[str, str]]:
    if name == "status":
        return [("", "Any"), *MODELS[kind].STATUSES.items()]
    doors = who.scope(Endpoint.objects.filter(direction=SIDES[kind])).order_by("code")
    return [("", "All"), *((door.code, f"{door.name} ({door.code})") for door in doors)]


def _field(name: str, label: str, kind: str, who: Viewer) -> forms.Field:
    told: dict[str, Any] = {"label": label, "required": False, "help_text": HELP.get(name, "")}
    if name in ("status", "endpoint"):
        return forms.ChoiceField(choices=_choices(name, kind, who), **told)
    if name in ("since", "until"):
        picker = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        return forms.DateTimeField(widget=picker, **told)
    return forms.CharField(max_length=selections.TEXT_MAX, **told)


def _shadows(who: Viewer) -> list[tuple[str, str]]:
    doors = who.scope(Endpoint.objects.filter(direction="out", shadow=True, active=True)).order_by("code")
    return [("", "None"), *((door.code, f"{door.name} ({door.code})") for door in doors)]


class PlanForm(forms.Form):
    """What shall be done again, and why."""

    def __init__(self, kind: str, who: Viewer, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for name, known in selections.FILTERS[kind].items():
            self.fields[name] = _field(name, known.label, kind, who)
        self.sends = kind == "deliveries" and who.may("hub.resend_delivery")
        if self.sends:
            self.fields["mode"] = forms.ChoiceField(
                label="What to do", required=False, choices=list(Replay.MODES.items()),
                help_text="Sending again takes what was delivered, keeps the key of each call, changes no book, and "
                "needs a second person always.",
            )  # fmt: skip
            self.fields["to"] = forms.ChoiceField(
                label="Shadow system", required=False, choices=_shadows(who), help_text="For a copy only.",
            )  # fmt: skip
        most = settings.REPLAY_MAX_ITEMS
        self.fields["limit"] = forms.IntegerField(
            label="At most", min_value=1, max_value=most, initial=min(1000, most), help_text="The oldest first."
        )
        self.fields["reason"] = forms.CharField(
            label="Reason", max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
            help_text="Kept for the auditor. No patient names.",
        )  # fmt: skip

    def way(self) -> dict[str, str]:
        """What to do with them, and where a copy goes."""
        if not self.sends:
            return {}
        return {"mode": self.cleaned_data["mode"] or "again", "to": self.cleaned_data["to"]}

    def chosen(self) -> dict[str, str]:
        """The filters as `hub.selections` takes them."""
        given = {name: self.cleaned_data.get(name) for name in selections.FILTERS[self.kind]}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in given.items()
            if value
        }


def initial(query: Any, kind: str) -> dict[str, Any]:
    """What the address already says: a list's filters and its window of time; what is damaged is left out."""
    found: dict[str, Any] = {name: query[name] for name in selections.FILTERS[kind] if query.get(name)}
    for name in ("since", "until"):
        found.pop(name, None)
    span = SPANS.get(query.get("when", ""))
    if span:
        start = timezone.localtime(timezone.now() - span)
        found["since"] = start.replace(second=0, microsecond=0) - timedelta(minutes=1)
    return found
