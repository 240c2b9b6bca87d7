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
    TRANSPORTS = {"mllp": "MLLP", "http": "HTTP"}
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
    settings = models.JSONField(default=dict, blank=True)
    secret = models.TextField(blank=True, editable=False)
    paused = models.BooleanField(default=False, help_text="Nothing is read or sent; what arrives is still stored.")
    active = models.BooleanField(default=True)
    history = HistoricalRecords(excluded_fields=["secret"])

    class Meta:
        ordering = ("code",)
        permissions = (
            ("pause_endpoint", "Can pause and resume an endpoint"),
            ("post_inbound", "Can hand in documents through an HTTP door"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(direction__in=["in", "out"]), name="endpoint_direction_is_known"),
            models.CheckConstraint(condition=models.Q(concurrency__gte=1), name="endpoint_concurrency_is_positive"),
        )

    def __str__(self) -> str:
        return self.name
