"""Partners and the endpoints through which they speak."""

from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords


class Partner(models.Model):
    """A system on the other side: a billing platform, an ERP, a supplier. Codes are mapped per partner."""

    KINDS = {
        "billing": "Patient billing",
        "erp": "ERP",
        "procurement": "Procurement",
        "inventory": "Inventory",
        "supplier": "Supplier",
    }
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=KINDS.items())
    active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=["billing", "erp", "procurement", "inventory", "supplier"]),
                name="partner_kind_is_known",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """One door of one partner: where documents come in or go out, and on what terms.

    `settings` holds the partner's quirks as data (docs/integrating/endpoints.md): for HL7 the Z-segment paths, for
    HTTP the base URL and time-outs in seconds. `secret` is sealed by `hub.vault` and never shown again.
    """

    DIRECTIONS = {"in": "Inbound", "out": "Outbound"}
    FORMATS = {"hl7v2": "HL7 v2", "rest_ledger": "REST ledger"}
    TRANSPORTS = {"mllp": "MLLP", "http": "HTTP", "folder": "Folder", "sftp": "SFTP"}
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="endpoints")
    code = models.SlugField(max_length=40, unique=True, help_text="Stable; part of URLs and of stored rows.")
    name = models.CharField(max_length=120)
    direction = models.CharField(max_length=3, choices=DIRECTIONS.items())
    format = models.CharField(max_length=20, choices=FORMATS.items())
    transport = models.CharField(max_length=10, choices=TRANSPORTS.items())
    facility = models.CharField(max_length=20, blank=True, help_text="Our facility code, where the door serves one.")
    sending_application = models.CharField(max_length=60, blank=True, help_text="MSH-3 that this door accepts.")
    sending_facility = models.CharField(max_length=60, blank=True, help_text="MSH-4 that this door accepts.")
    port = models.PositiveIntegerField(null=True, blank=True, help_text="MLLP port; several doors may share one.")
    allowed_peers = models.CharField(
        max_length=400, blank=True, help_text="Addresses or networks that may connect, separated by commas."
    )
    production = models.BooleanField(default=True, help_text="Refuses test and training messages (MSH-11 T or D).")
    concurrency = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Calls under way at once to this partner."
    )
    backlog_limit = models.PositiveIntegerField(
        default=500_000, help_text="Unprocessed messages at which the door asks senders to wait."
    )
    silent_after_minutes = models.PositiveIntegerField(
        default=60, help_text="No traffic for this long is worth a look; 0 for never."
    )
    retry_first_s = models.FloatField(
        "first wait (s)", default=0.5, db_default=0.5, help_text="Longest wait after the first try that failed."
    )
    retry_factor = models.FloatField(
        "factor", default=2, db_default=2, help_text="Each further wait is so many times as long."
    )
    retry_cap_s = models.FloatField("longest wait (s)", default=60, db_default=60)
    retry_age_h = models.PositiveSmallIntegerField(
        "maximum age (h)", default=75, db_default=75, help_text="A call that is older stops, and a person decides."
    )
    breaker_failures = models.PositiveSmallIntegerField(
        "failures in a row", default=5, db_default=5, help_text="So many open the circuit; 0 for never."
    )
    breaker_pause_s = models.FloatField(
        "first pause (s)", default=5, db_default=5, help_text="Until one call probes; twice as long after each failure."
    )
    breaker_cap_s = models.FloatField("longest pause (s)", default=60, db_default=60)
    calls_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="What the partner allows in a minute; empty for no limit."
    )
    calls_burst = models.PositiveSmallIntegerField(
        "calls at once", default=10, db_default=10, help_text="After a quiet time so many may go out without waiting."
    )
    settings = models.JSONField(default=dict, blank=True)
    secret = models.TextField(blank=True, editable=False)
    paused = models.BooleanField(default=False, help_text="Nothing is read or sent; what arrives is still stored.")
    draining_since = models.DateTimeField(null=True, blank=True, editable=False)  # since then it takes nothing new
    shadow = models.BooleanField(
        default=False, db_default=False, help_text="A test or shadow system: gets nothing by itself, only what a "
        "replay sends to it.",
    )  # fmt: skip
    active = models.BooleanField(default=True)
    history = HistoricalRecords(excluded_fields=["secret"])

    class Meta:
        ordering = ("code",)
        permissions = (
            ("pause_endpoint", "Can pause and resume an endpoint"),
            ("drain_endpoint", "Can drain an endpoint and let it take again"),
            ("switch_breaker", "Can open and close the circuit of an endpoint"),
            ("post_inbound", "Can hand in documents through an HTTP door"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(direction__in=["in", "out"]), name="endpoint_direction_is_known"),
            models.CheckConstraint(
                condition=models.Q(shadow=False) | models.Q(direction="out"),
                name="endpoint_shadow_is_outbound",
                violation_error_message="Only an outbound endpoint can be a shadow system.",
            ),
            models.CheckConstraint(condition=models.Q(concurrency__gte=1), name="endpoint_concurrency_is_positive"),
            models.CheckConstraint(
                condition=models.Q(
                    retry_first_s__gt=0,
                    retry_factor__gte=1,
                    retry_cap_s__gte=models.F("retry_first_s"),
                    retry_age_h__gte=1,
                ),
                name="endpoint_retry_can_be_followed",
                violation_error_message="Trying again: the first wait is more than 0 s, the factor at least 1, the "
                "longest wait no shorter than the first, and the maximum age at least 1 h.",
            ),
            models.CheckConstraint(
                condition=models.Q(breaker_pause_s__gt=0, breaker_cap_s__gte=models.F("breaker_pause_s")),
                name="endpoint_circuit_can_be_followed",
                violation_error_message="Circuit: the first pause is more than 0 s, and the longest no shorter.",
            ),
            models.CheckConstraint(
                condition=models.Q(calls_burst__gte=1)
                & (models.Q(calls_per_minute__isnull=True) | models.Q(calls_per_minute__gte=1)),
                name="endpoint_pace_can_be_followed",
                violation_error_message="Pace: at least 1 call in a minute (empty: no limit), and at least 1 at once.",
            ),
        )

    def __str__(self) -> str:
        return self.name
