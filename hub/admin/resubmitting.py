"""A stopped message in an editor: shown with a reason, handed in as a copy, linked on both pages."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from hub import audit, bodies, resubmission, shapes
from hub.admin import verbs
from hub.admin.base import Block
from hub.errors import HubError
from hub.models import Message, ReplayItem
from hub.viewer import Viewer, viewer

NEEDS = ("hub.edit_message", "hub.view_raw_message")
REPLAYS_SHOWN = 20


class EditForm(forms.Form):
    """The message line by line; `codec` says how its bytes were read, so that untouched ones come out the same."""

    text = forms.CharField(
        label="The message, one segment a line", strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "class": "code", "spellcheck": "false"}),
    )  # fmt: skip
    reason = forms.CharField(label="What was wrong with it", max_length=300, help_text="Kept for the auditor.")
    codec = forms.ChoiceField(choices=(("utf-8", "UTF-8"), ("latin-1", "Latin-1")), widget=forms.HiddenInput)

    def raw(self) -> bytes:
        """The bytes: segments end with a carriage return, as HL7 wants them."""
        lines: str = self.cleaned_data["text"].replace("\r\n", "\r").replace("\n", "\r")
        return (lines.rstrip("\r") + "\r").encode(self.cleaned_data["codec"])


def opened(raw: bytes) -> dict[str, str]:
    """The text of a message, and the codec that gives the same bytes back."""
    try:
        text, codec = raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, codec = raw.decode("latin-1"), "latin-1"
    return {"text": text.replace("\r\n", "\n").replace("\r", "\n"), "codec": codec}


def edit(owner: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Open the editor: the whole message, personal fields too, so a reason is asked for and kept."""
    message, who = _find(owner, request, object_id)
    if message is None:
        return HttpResponseNotAllowed(["POST"])
    form = verbs.ReasonForm(request.POST, prefix="edit")
    if not form.is_valid():
        messages.error(request, "Nothing was opened: say why you edit it.")
        return HttpResponseRedirect(_page(message))
    reason = form.cleaned_data["reason"]
    audit.record("messages.reveal", by=who.actor, subject=message, reason=reason, detail={"for": "editing"})
    return _editor(owner, request, message, EditForm(initial=opened(bodies.of(message)) | {"reason": reason}))


def resubmit(owner: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Hand the copy in; where its door refuses it, the editor stays open with the text as it was typed."""
    message, who = _find(owner, request, object_id)
    if message is None:
        return HttpResponseNotAllowed(["POST"])
    form = EditForm(request.POST)
    if form.is_valid():
        try:
            copy = resubmission.resubmit(message, raw=form.raw(), reason=form.cleaned_data["reason"], by=who.actor)
        except UnicodeEncodeError:
            form.add_error("text", "It holds a letter that the message's own character set does not have.")
        except HubError as error:
            form.add_error(None, f"{error.text} ({error.code})")
        else:
            messages.success(request, "This is the copy; it took the original's place. The original is linked below.")
            return HttpResponseRedirect(_page(copy))
    return _editor(owner, request, message, form)


def _find(owner: Any, request: HttpRequest, object_id: str) -> tuple[Message | None, Viewer]:
    who = viewer(request)
    if request.method != "POST":
        return None, who
    message = owner.find(request, object_id)
    if not all(map(who.may, NEEDS)):
        verbs.deny("messages.resubmit", message, who.actor)
    return message, who


def _page(message: Message) -> str:
    return reverse("admin:hub_message_change", args=[message.pk])


def _editor(owner: Any, request: HttpRequest, message: Message, form: EditForm) -> HttpResponse:
    context = {
        **owner.admin_site.each_context(request),
        "title": f"Edit a copy of {message}",
        "subtitle": "The original stays as it came. The copy keeps its account and its place in the order.",
        "form": form,
        "action": reverse("admin:hub_message_resubmit", args=[message.pk]),
        "list_url": _page(message),
        "list_name": "The message",
        "problem": f"{message.problem_code}: {message.problem}" if message.problem else "",
    }
    return TemplateResponse(request, "admin/hub/edit_message.html", context)


def context(message: Message, who: Viewer) -> dict[str, Any]:
    """What the message's page needs to offer it: only where it is stopped, only to those who may."""
    if message.status != "stopped" or not all(map(who.may, NEEDS)):
        return {}
    url = reverse("admin:hub_message_edit", args=[message.pk])
    return {"edit_form": verbs.ReasonForm(prefix="edit"), "edit_url": url}


def blocks(message: Message, who: Viewer) -> list[Block]:
    """Original and copy, and the replays that the message was part of."""
    original, copy = resubmission.links(message)
    found = []
    for other, title, text in (
        (original, "An edited copy", "This is an edited copy. What the partner sent is kept: {}"),
        (copy, "Replaced", "An edited copy took its place: {}"),
    ):
        if other is not None:
            sentence = format_html(text, shapes.link("admin:hub_message_change", other))
            found.append(Block(title, "admin/blocks/sentence.html", {"sentence": sentence}))
    items = ReplayItem.objects.filter(subject_id=message.pk).select_related("replay").order_by("-pk")
    if who.may("hub.view_replay") and (replayed := list(items[:REPLAYS_SHOWN])):
        found.append(Block("Replays", "admin/blocks/replayed.html", {"items": replayed}))
    return found
