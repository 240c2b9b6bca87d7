"""The page that looks inside messages: words in, a page of messages out, in slices of time that anybody can stop."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hub import ids
from hub.admin import verbs
from hub.admin.columns import cell
from hub.errors import HubError
from hub.models import Message
from hub.search import content, tokens
from hub.search.walk import BUDGET_S, PAGE, Found
from hub.viewer import viewer

SPANS = {"1": "Last 24 hours", "7": "Last 7 days", "31": "Last 31 days", "92": "Last 3 months", "366": "Last 12 months"}


class SearchForm(forms.Form):
    """What to look for, and how far back. `until` and `before` hold the place of a search that goes on."""

    words = forms.CharField(
        label="Words", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=f"All of them have to be in the message. {tokens.SHORTEST} to {tokens.LONGEST} letters or digits "
        'each; a whole field in quotation marks, such as "SMITH^ANN".',
    )  # fmt: skip
    days = forms.ChoiceField(label="Received in the", choices=SPANS.items(), initial="7")
    until = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)


def page(owner: Any, request: HttpRequest) -> HttpResponse:
    """The form for a GET; for a POST one slice of the search."""
    who = viewer(request)
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if not (who.may("hub.view_message") and who.may("hub.search_content")):
        verbs.deny("messages.search", Message(), who.actor)
    form = SearchForm(request.POST or None)
    context: dict[str, Any] = {
        **owner.admin_site.each_context(request), "title": "Search inside messages", "form": form,
        "subtitle": "Their text is sealed: the search opens what may hold your words, and looks. Who searched is kept, "
        "the words are not.",
        "list_url": reverse("admin:hub_message_changelist"), "list_name": "Messages",
    }  # fmt: skip
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        until = asked["until"] or timezone.now()
        since = until - timedelta(days=int(asked["days"]))
        try:
            found = content.search(asked["words"], by=who.actor, since=since, until=until, before=asked["before"])
        except HubError as error:
            form.add_error("words", f"{error.text} ({error.code})")
        else:
            context |= _found(owner, request, found, since)
            if found.reached:
                context["onward"] = _onward(asked, until, found.reached)
                context["form"] = SearchForm(initial={"words": asked["words"], "days": asked["days"]})
    return TemplateResponse(request, "admin/hub/search.html", context)


def _found(owner: Any, request: HttpRequest, found: Found, since: datetime) -> dict[str, Any]:
    """The rows in the columns of the list, and what was searched."""
    messages = owner.listed(owner.get_queryset(request), viewer(request)).filter(pk__in=found.ids).order_by("-pk")
    rows = [
        [
            cell(row, column, "" if place else reverse("admin:hub_message_change", args=[row.pk]))
            for place, column in enumerate(owner.columns)
        ]
        for row in messages
    ]
    back_to = ids.moment(found.reached) if found.reached else since
    return {
        "searched": True, "rows": rows, "columns": owner.columns, "back_to": back_to, "ended": found.reached is None,
        "unopened": found.unopened,
        "full": len(found.ids) >= PAGE, "seconds": f"{found.seconds:.1f}", "budget_s": f"{BUDGET_S:g}",
    }  # fmt: skip


def _onward(asked: dict[str, Any], until: datetime, reached: UUID) -> SearchForm:
    """The same search from where it stopped, as hidden fields."""
    form = SearchForm(
        initial={"words": asked["words"], "days": asked["days"], "until": until.isoformat(), "before": reached},
        auto_id="onward-%s",
    )
    for field in form.fields.values():
        field.widget = forms.HiddenInput()
    return form
