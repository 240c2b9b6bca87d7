"""Alerts: the rules that staff set up, and what they found."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget
from django.db import models
from django.db.models import QuerySet
from django.utils import timezone

from hub import navigation, shapes
from hub.admin.base import Block, EditableAdmin, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.alerts.sensors import SENSORS
from hub.models import AlertEpisode, AlertRule
from hub.viewer import Viewer


def rule_state(rule: AlertRule) -> Any:
    """Whether the rule is looked at, and whether it holds now."""
    if not rule.active:
        return shapes.pill("inactive", "Off")
    lasting = rule.episodes.filter(ended_at=None).count()
    return shapes.pill("open", shapes.count(lasting, "alert")) if lasting else shapes.pill("active", "Quiet")


def threshold(rule: AlertRule) -> str:
    """The threshold with its unit."""
    sensor = SENSORS[rule.kind]
    if not sensor.unit:
        return "each feed's own"
    figure = sensor.usual if rule.threshold is None else rule.threshold
    return f"{figure:,g} {sensor.unit}"


def episode_state(episode: AlertEpisode) -> Any:
    """Whether it lasts."""
    return shapes.pill("closed", "Over") if episode.ended_at else shapes.pill("open", "Lasts")


def lasted(episode: AlertEpisode) -> str:
    """How long it lasted, or lasts."""
    span: timedelta = (episode.ended_at or timezone.now()) - episode.began_at
    return shapes.age(span)


def told(episode: AlertEpisode) -> Any:
    """Whether those who have to know were told."""
    if episode.problem:
        return shapes.pill("in_doubt", "Not told yet")
    if not episode.rule.mail_to:
        return "on this page"
    return shapes.stamp(episode.ended_told_at or episode.began_told_at) if episode.began_told_at else "not yet"


@admin.register(AlertRule)
class AlertRuleAdmin(EditableAdmin):
    """A condition that somebody wants to hear of."""

    intro = "What is worth a message: each rule tells once when its condition begins, and once when it is over."
    order = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "endpoint", "threshold", "active")}),
        (
            "Who hears of it",
            {"fields": ("owner", "mail_to", "digest_to", "webhook", "urgent", "quiet_from", "quiet_to")},
        ),
    )
    formfield_overrides = {models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})}}
    columns = (
        Column("Name", "name"),
        Column("Condition", lambda r: AlertRule.KINDS[r.kind]),
        Column("Threshold", threshold),
        Column("Endpoint", lambda r: r.endpoint.name if r.endpoint else "every one"),
        Column("Case for", lambda r: r.get_owner_display() or ""),
        Column("Status", rule_state, "status"),
    )
    filters = (Filter("kind", "Condition", AlertRule.KINDS, by_field("kind")),)
    teaches = ("No rules.", "Add the first one: a silent feed is what hurts most and shows least.")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the endpoint's name."""
        return queryset.select_related("endpoint")

    def state(self, row: AlertRule) -> Any:
        """Whether it holds now."""
        return rule_state(row)

    def blocks(self, row: AlertRule, who: Viewer) -> list[Block]:
        """What is measured, and what to do when it is over the threshold."""
        sensor = SENSORS[row.kind]
        usual = f" Usual: {sensor.usual:,g} {sensor.unit}." if sensor.unit else ""
        return [Block("What to do when it tells", "admin/blocks/sentence.html", {"sentence": sensor.advice + usual})]


@admin.register(AlertEpisode)
class AlertEpisodeAdmin(EvidenceAdmin):
    """One stretch of time in which a rule's condition held."""

    intro = "What the rules found: those that last first."
    facility_field = "facility"
    order = ("-began_at", "-pk")
    columns = (
        Column("Rule", lambda e: e.rule.name),
        Column("About", "subject", "code"),
        Column("What was found", "text"),
        Column("Began", "began_at", "time"),
        Column("Lasted", lasted, "short"),
        Column("Told", told),
        Column("Status", episode_state, "status"),
    )
    filters = (
        Filter(
            "lasts", "Now", {"1": "Lasts", "0": "Over"},
            lambda queryset, value: queryset.filter(ended_at__isnull=value == "1"),
        ),
    )  # fmt: skip
    teaches = ("No alerts.", "Nothing that a rule looks at was over its threshold in this time.")

    def facts(self, row: AlertEpisode, who: Viewer) -> list[tuple[str, Any]]:
        """What was found, when, and who knows."""
        return [
            ("What was found", row.text),
            ("What to do", SENSORS[row.rule.kind].advice),
            ("About", shapes.code(row.subject)),
            ("Began", shapes.stamp(row.began_at)),
            ("Over", shapes.stamp(row.ended_at)),
            ("Lasted", lasted(row)),
            ("Told", row.problem or told(row)),
        ]

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the rule."""
        return queryset.select_related("rule")


navigation.put(
    "Systems",
    navigation.Link("Alert rules", "admin:hub_alertrule_changelist", "hub.view_alertrule", "What is worth a message"),
    navigation.Link("Alerts", "admin:hub_alertepisode_changelist", "hub.view_alertepisode", "What the rules found"),
)
