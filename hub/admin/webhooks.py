"""Webhooks: which systems are called when an alert begins or ends, and what became of each call."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils import timezone

from hub import navigation, shapes
from hub.admin import verbs
from hub.admin.base import Block, EditableAdmin, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.alerts import webhooks
from hub.models import Digest, Webhook, WebhookCall
from hub.viewer import Viewer

HOW = (
    "Calls are signed as Standard Webhooks says: check webhook-signature with the secret, and take a webhook-id that "
    "you had before as done. Answer 2xx within 15 seconds; 410 ends all calls."
)


def state(row: Webhook) -> Any:
    """Whether calls go out."""
    if not row.active:
        return shapes.pill("inactive", "Off")
    return shapes.pill("active", "Active") if row.secret else shapes.pill("quiet", "No secret: nothing is sent")


def host(row: Webhook) -> str:
    """Whom it calls; the rest of an address may hold a token."""
    return urlsplit(row.url).hostname or ""


class SecretForm(forms.Form):
    """What calls are signed with; never filled in again, not even after an error."""

    secret = forms.CharField(
        label="New secret", max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="24 to 64 random bytes in base64, with or without whsec_ in front: openssl rand -base64 32. The one "
        "before signs beside it for a day.",
    )  # fmt: skip


def _set_secret(row: Webhook, data: dict[str, Any], by: Any) -> str:
    webhooks.set_secret(row, secret=data["secret"], by=by)
    return f"The secret of {row.name} is sealed. The next call is signed with it, and for a day with the old one too."


def _send_again(row: WebhookCall, data: dict[str, Any], by: Any) -> str:
    webhooks.send_again(row, by=by)
    return "It is tried once more, within ten seconds."


@admin.register(Webhook)
class WebhookAdmin(EditableAdmin):
    """A system that is called."""

    intro = "Systems that are called when an alert begins and when it is over. Name one in a rule to use it."
    order = ("name",)
    fields = ("name", "url", "active")
    columns = (
        Column("Name", "name"),
        Column("Host", host, "code"),
        Column("Waiting calls", webhooks.waiting, "num"),
        Column("Status", state, "status"),
    )
    teaches = ("No webhooks.", "Add the address of a pager or chat that shall hear of alerts, then its secret.")
    verbs = (verbs.Verb("set_secret", "Set the secret…", "hub.change_webhook", _set_secret, form=SecretForm, help=HOW),)

    def state(self, row: Webhook) -> Any:
        """Whether calls go out."""
        return state(row)

    def under(self, row: Webhook) -> str:
        """What is missing, where something is."""
        return "" if row.secret else "Nothing is sent before it has a secret: press “Set the secret…”."

    def blocks(self, row: Webhook, who: Viewer) -> list[Block]:
        """How its receiver checks what it gets, and whether a secret is kept."""
        old = row.old_secret_until
        kept = "A secret is kept, sealed. It is never shown again." if row.secret else "No secret is kept."
        if old and old > timezone.now():
            kept += f" The one before signs beside it until {shapes.clock(old)}."
        return [
            Block("What the receiver does", "admin/blocks/sentence.html", {"sentence": HOW}),
            Block("Secret", "admin/blocks/sentence.html", {"sentence": kept}),
        ]


@admin.register(WebhookCall)
class WebhookCallAdmin(EvidenceAdmin):
    """One thing told to one receiver, and every try."""

    intro = "What was told to webhooks, and what they answered: the newest first."
    facility_field = "episode__facility"
    order = ("-pk",)
    columns = (
        Column("Webhook", lambda c: c.webhook.name),
        Column("Event", lambda c: WebhookCall.EVENTS[c.event]),
        Column("About", lambda c: c.episode.subject, "code"),
        Column("Written", "created_at", "time"),
        Column("Tries", "attempts", "num"),
        Column("Problem", "problem"),
        Column("Status", "status", "status"),
    )
    filters = (Filter("status", "Status", WebhookCall.STATUSES, by_field("status")),)
    teaches = ("No calls.", "Name a webhook in an alert rule: it is called when the rule's condition begins and ends.")
    verbs = (
        verbs.Verb(
            "send_again", "Send again", "hub.change_webhook", _send_again, lambda c, by: c.status == "given_up",
            tone="primary", help="Under the same webhook-id: a receiver that has it already does nothing twice.",
        ),
    )  # fmt: skip

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the names of both sides."""
        return queryset.select_related("webhook", "episode")

    def heading(self, row: WebhookCall) -> str:
        """What was told to whom."""
        return f"{WebhookCall.EVENTS[row.event]}: {row.webhook.name}"

    def facts(self, row: WebhookCall, who: Viewer) -> list[tuple[str, Any]]:
        """What was told, and every try with its answer."""
        tries = [
            (f"Try {one.number}", f"{shapes.clock(one.at)}: {one.text}") for one in row.tries.order_by("number")
        ]  # fmt: skip
        due = row.due_at if row.status in ("waiting", "sending") else None
        return [
            ("webhook-id", shapes.code(row.pk)),
            ("About", shapes.code(row.episode.subject)),
            ("Written", shapes.stamp(row.created_at)),
            ("Next try", shapes.stamp(due)),
            ("Settled", shapes.stamp(row.settled_at)),
            *tries,
        ]

    def blocks(self, row: WebhookCall, who: Viewer) -> list[Block]:
        """What is sent, byte for byte."""
        return [Block("Body", "admin/blocks/sentence.html", {"sentence": shapes.code(row.body)})]


@admin.register(Digest)
class DigestAdmin(EvidenceAdmin):
    """One recipient's summary of one day."""

    intro = "The daily summaries of alerts: who got which day's, and what was in it."
    order = ("-day", "recipient")
    columns = (
        Column("To", "recipient"),
        Column("Day", "day"),
        Column("Open", "open", "num"),
        Column("Began", "began", "num"),
        Column("Ended", "ended", "num"),
        Column("Sent", "told_at", "time"),
        Column("Problem", "problem"),
    )
    teaches = ("No digests.", "Name addresses under “digest” in an alert rule: each gets one mail a day.")

    def facts(self, row: Digest, who: Viewer) -> list[tuple[str, Any]]:
        """When it was sent, and what it covers."""
        return [
            ("To", row.recipient),
            ("Covers from", shapes.stamp(row.since)),
            ("Covers until", shapes.stamp(row.until)),
            ("Sent", row.problem or shapes.stamp(row.told_at)),
            ("Alerts open", row.open),
            ("Began", row.began),
            ("Ended", row.ended),
        ]


navigation.put(
    "Systems",
    navigation.Link("Webhooks", "admin:hub_webhook_changelist", "hub.view_webhook", "Systems that hear of alerts"),
    navigation.Link("Webhook calls", "admin:hub_webhookcall_changelist", "hub.view_webhookcall", "What they were told"),
    navigation.Link("Alert digests", "admin:hub_digest_changelist", "hub.view_digest", "The daily summaries"),
)
