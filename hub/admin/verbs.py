"""Verbs as buttons: which ones a person sees on a row, and the one door through which a button's POST comes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.html import format_html

from hub import audit
from hub.access import Actor
from hub.errors import HubError, NotAllowed


@dataclass(frozen=True, slots=True)
class Verb:
    """One button. `run(row, data, by)` calls the flow and returns what to tell the person.

    `ready(row, by)` says whether the row's state allows it: True, False (not shown), or the reason why not (shown
    disabled). The flow decides again under a lock: a page may be older than the row.
    """

    name: str
    label: str
    permission: str
    run: Callable[[Any, dict[str, Any], Actor], str]
    ready: Callable[[Any, Actor], bool | str] = lambda row, by: True
    form: type[forms.Form] | None = None
    tone: str = ""  # primary | danger
    help: str = ""


@dataclass(slots=True)
class Button:
    """A verb as one person sees it on one row."""

    verb: Verb
    url: str
    disabled: str = ""
    form: forms.Form | None = None


class ReasonForm(forms.Form):
    """Why: kept in the audit entry for whoever asks later."""

    reason = forms.CharField(
        label="Reason", max_length=300, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept for the auditor. No patient names.",
    )  # fmt: skip


class OptionalReasonForm(forms.Form):
    """Why, where the verb does not insist."""

    reason = forms.CharField(label="Reason (optional)", max_length=300, required=False)


def moves_to(*targets: str) -> Callable[[Any, Actor], bool]:
    """Ready when the row's `MOVES` allow one of these statuses next."""

    def ready(row: Any, by: Actor) -> bool:
        return any(target in row.MOVES[row.status] for target in targets)

    return ready


def buttons(verbs: tuple[Verb, ...], row: Any, by: Actor, url: Callable[[Verb], str]) -> list[Button]:
    """The buttons of one row for one person: what they may not press is not there."""
    shown = []
    for verb in verbs:
        if not by.user.has_perm(verb.permission):
            continue
        ready = verb.ready(row, by)
        if ready is False:
            continue
        form = verb.form(prefix=verb.name) if verb.form else None
        shown.append(Button(verb, url(verb), ready if isinstance(ready, str) else "", form))
    return shown


def press(request: HttpRequest, verb: Verb, row: Any, by: Actor, back: str, onward: str = "") -> HttpResponseRedirect:
    """Run one verb for one POST and go to the row's page with what happened (`onward`), or why nothing did (`back`)."""
    if not by.user.has_perm(verb.permission):
        deny(verb.name, row, by)
    data: dict[str, Any] = {}
    if verb.form:
        form = verb.form(request.POST, prefix=verb.name)
        if not form.is_valid():
            for name, errors in form.errors.items():
                label = form.fields[name].label if name in form.fields else ""
                messages.error(
                    request, format_html("Nothing was done. {}: {}", label or name, " ".join(map(str, errors)))
                )
            return HttpResponseRedirect(back)
        data = form.cleaned_data
    try:
        told = verb.run(row, data, by)
    except NotAllowed as error:
        deny(verb.name, row, by, error.text)
    except HubError as error:
        messages.error(request, format_html("<strong>Nothing was done.</strong> {} ({})", error.text, error.code))
    else:
        messages.success(request, told)
        return HttpResponseRedirect(onward or back)
    return HttpResponseRedirect(back)


def deny(verb: str, row: Any, by: Actor, text: str = "") -> None:
    """Refuse with 403 and leave a trace: a forged or stale request is worth knowing about."""
    audit.record("access.denied", by=by, subject=row, detail={"verb": verb})
    raise PermissionDenied(text or f"{by.name} may not do this.")
