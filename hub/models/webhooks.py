"""Webhooks: which systems are told of alerts over HTTP, what they are told, and every try."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from simple_history.models import HistoricalRecords

from hub import ids


class Webhook(models.Model):
    """One receiver. Its secret is sealed by `hub.vault`, never shown again, and signs every call."""

    name = models.CharField(max_length=120, unique=True)
    url = models.CharField(
        "address", max_length=500, help_text="With its scheme; an inner address only where the site's settings name it."
    )
    active = models.BooleanField(
        default=True, help_text="What waits for one that is switched off goes out when it is switched on again."
    )
    secret = models.TextField(blank=True, editable=False)
    old_secret = models.TextField(blank=True, editable=False)  # signs beside the new one for a day
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    history = HistoricalRecords(excluded_fields=["secret", "old_secret", "old_secret_until"])

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """An address without names and passwords in it: it stands in lists and histories."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
            parts = urlsplit("")
        if not usable or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise ValidationError({"url": "Write the whole address, e.g. https://pager.example.org/hooks/throughline"})
        if parts.username is not None or parts.password is not None:
            raise ValidationError({"url": "Leave user and password out: calls are signed with the secret instead."})


class WebhookCall(models.Model):
    """One thing to tell one receiver. Its id is the `webhook-id` of every try; the body is the same every time."""

    MOVES = {
        "waiting": ["sending", "given_up"],  # due at `due_at`, while its receiver is active
        "sending": ["delivered", "waiting", "given_up"],  # claimed until `due_at`
        "delivered": [],
        "given_up": ["waiting"],  # after the last try; a person may send it again
    }
    STATUSES = {
        "waiting": "Will be tried",
        "sending": "Under way",
        "delivered": "Delivered",
        "given_up": "Given up",
    }
    EVENTS = {"alert.began": "Alert began", "alert.ended": "Alert is over"}
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="calls")
    episode = models.ForeignKey("hub.AlertEpisode", models.PROTECT, related_name="calls")
    event = models.CharField(max_length=20, choices=EVENTS.items())
    body = models.TextField()
    status = models.CharField(max_length=10, choices=STATUSES.items(), default="waiting")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)  # of the last try

    class Meta:
        indexes = (
            models.Index(
                fields=["due_at"], name="webhookcall_due", condition=models.Q(status__in=["waiting", "sending"])
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["webhook", "episode", "event"], name="webhookcall_is_one"),
            models.CheckConstraint(
                condition=models.Q(status__in=["waiting", "sending", "delivered", "given_up"]),
                name="webhookcall_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["delivered", "given_up"], settled_at__isnull=False)
                | models.Q(status__in=["waiting", "sending"], settled_at__isnull=True),
                name="webhookcall_settled_has_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class WebhookTry(models.Model):
    """One try of one call, and what was answered."""

    call = models.ForeignKey(WebhookCall, models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)  # of HTTP; none where nobody answered
    text = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["call", "number"], name="webhooktry_is_one"),)

    def __str__(self) -> str:
        return f"{self.call_id}/{self.number}"
