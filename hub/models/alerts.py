"""Alerts: which conditions somebody wants to hear of, and each stretch of time in which one held."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from simple_history.models import HistoricalRecords

from hub.access import ROLES


class AlertRule(models.Model):
    """A condition, its threshold, and who is told. What is measured, and in which unit, is `hub.alerts.sensors`."""

    KINDS = {
        "silent_feed": "A feed is silent",
        "below_usual": "A feed sends less than usual",
        "backlog": "Messages wait to be read",
        "oldest_message": "The oldest message waits too long",
        "error_share": "Many messages stop or are refused",
        "oldest_call": "A call to a partner is not settled",
        "circuit": "A partner's circuit is open",
        "oldest_delivery": "A delivery waits for a person too long",
        "stuck_lane": "A worker keeps a lane longer than its lease",
        "case_age": "A case of high severity is not taken",
        "certificate": "A listener's certificate runs out",
        "disk": "A disk is nearly full",
    }
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=20, choices=KINDS.items())
    endpoint = models.ForeignKey(
        "hub.Endpoint", models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: every endpoint."
    )
    threshold = models.FloatField(
        null=True, blank=True, help_text="In the unit of the kind; empty for the usual one. A silent feed has its own."
    )
    owner = models.CharField(
        max_length=40,
        blank=True,
        choices=ROLES.items(),
        help_text="Gets a case while it lasts; empty: no case.",
    )
    mail_to = models.TextField(blank=True, help_text="Addresses, one a line: told when it begins and when it is over.")
    digest_to = models.TextField(
        blank=True, default="", db_default="", help_text="Addresses, one a line: get one summary a day instead."
    )
    webhook = models.ForeignKey(
        "hub.Webhook", models.PROTECT, null=True, blank=True, related_name="rules",
        help_text="A system that is called when it begins and when it is over.",
    )  # fmt: skip
    urgent = models.BooleanField(default=False, help_text="Is told in quiet hours, too.")
    quiet_from = models.TimeField(null=True, blank=True, help_text="From then on what is not urgent waits …")
    quiet_to = models.TimeField(null=True, blank=True, help_text="… until then (the server's time zone).")
    active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(threshold__isnull=True) | models.Q(threshold__gte=0),
                name="alert_threshold_not_below_0",
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="alert_quiet_hours_have_two_ends",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def addresses(self) -> list[str]:
        """Whom to write to when it begins and when it is over."""
        return _addresses(self.mail_to)

    def digest_addresses(self) -> list[str]:
        """Whom to write to once a day."""
        return _addresses(self.digest_to)

    def clean(self) -> None:
        """Addresses are addresses, quiet hours have both ends: said beside the field that is wrong."""
        wrong: dict[str, Any] = {}
        for field in ("mail_to", "digest_to"):
            for address in _addresses(getattr(self, field)):
                try:
                    validate_email(address)
                except ValidationError:
                    wrong[field] = f"{address} is no e-mail address; write one a line."
        if (self.quiet_from is None) != (self.quiet_to is None):
            wrong["quiet_to"] = "Give both ends of the quiet hours, or neither."
        if wrong:
            raise ValidationError(wrong)


def _addresses(text: str) -> list[str]:
    return [address for line in text.splitlines() for address in [line.strip()] if address]


class AlertEpisode(models.Model):
    """A stretch of time in which a rule's condition held for one subject. Told once when it began, once at its end."""

    rule = models.ForeignKey(AlertRule, models.PROTECT, related_name="episodes")
    subject = models.CharField(max_length=200)  # what it is about: an endpoint's code, a lane, a case
    text = models.TextField()  # what was found, with its figure; the latest while it lasts
    value = models.FloatField()
    facility = models.CharField(max_length=20, blank=True)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    began_told_at = models.DateTimeField(null=True, blank=True)
    ended_told_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)  # why nobody could be told yet

    class Meta:
        verbose_name = "alert"
        indexes = (models.Index(fields=["-began_at"], name="alert_episode_newest"),)
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=models.Q(ended_at__isnull=True), name="alert_lasts_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}"


class FeedState(models.Model):
    """When an inbound endpoint was last heard, kept by the watch and never by the door."""

    endpoint = models.OneToOneField("hub.Endpoint", models.CASCADE, primary_key=True, related_name="feed_state")
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.endpoint)
