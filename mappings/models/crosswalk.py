"""The crosswalk: what a partner's code means here, from when to when, and who said so."""

from datetime import date

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from simple_history.models import HistoricalRecords

from hub.models import Partner

DOMAINS = {
    "facility": "Facility",
    "department": "Department",
    "location": "Location",
    "charge_code": "Charge code",
    "service_line": "Service line",
    "payer_class": "Payer class",
    "item": "Item",
    "vendor": "Vendor",
    "uom": "Unit of measure",
}


class DateSpan(Func):
    """daterange(from, to, '[]')"""

    function = "DATERANGE"
    output_field = DateRangeField()


class Mapping(models.Model):
    """One meaning of one code. Proposed by one person, approved by another; approved ones never overlap.

    `facility` is the partner's facility code that it is limited to, "" for all. The source code "*" is the default
    row of its domain: allowed, and counted on the dashboard.
    """

    MOVES = {
        "proposed": ["approved", "rejected"],
        "approved": ["retired"],  # in force between its dates
        "rejected": [],
        "retired": [],  # ended by a person; facts that used it stay as they are
    }
    STATUSES = {
        "proposed": "Waiting for approval",
        "approved": "In force",
        "rejected": "Rejected",
        "retired": "Retired",
    }
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="mappings")
    domain = models.CharField(max_length=20, choices=DOMAINS.items())
    facility = models.CharField(max_length=60, blank=True)
    source_code = models.CharField(max_length=120)
    target_code = models.CharField(max_length=40)
    valid_from = models.DateField(default=date(2000, 1, 1))
    valid_to = models.DateField(null=True, blank=True, help_text="Last day on which it holds.")
    status = models.CharField(max_length=10, choices=STATUSES.items(), default="proposed")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("partner", "domain", "source_code")
        permissions = (
            ("propose_mapping", "Can propose a mapping"),
            ("approve_mapping", "Can approve or reject a mapping that somebody else proposed"),
            ("retire_mapping", "Can retire a mapping"),
        )
        indexes = (models.Index(fields=["partner", "domain", "source_code"], name="mapping_lookup"),)
        constraints = (
            models.CheckConstraint(condition=Q(domain__in=list(DOMAINS)), name="mapping_domain_is_known"),
            models.CheckConstraint(
                condition=Q(status__in=["proposed", "approved", "rejected", "retired"]), name="mapping_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")),
                name="mapping_approver_is_not_proposer",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["proposed", "rejected"])
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="mapping_in_force_has_an_approver",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="mapping_dates_are_in_order"
            ),
            ExclusionConstraint(
                name="mapping_in_force_is_one",
                expressions=[
                    ("partner", RangeOperators.EQUAL),
                    ("domain", RangeOperators.EQUAL),
                    ("facility", RangeOperators.EQUAL),
                    ("source_code", RangeOperators.EQUAL),
                    (DateSpan("valid_from", "valid_to", RangeBoundary(inclusive_upper=True)), RangeOperators.OVERLAPS),
                ],
                condition=Q(status="approved"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.domain} {self.source_code} -> {self.target_code}"


class SharedCodes(models.Model):
    """This partner speaks our own codes in this domain: what has no mapping is looked up as it stands."""

    partner = models.ForeignKey(Partner, models.CASCADE, related_name="shared_codes")
    domain = models.CharField(max_length=20, choices=DOMAINS.items())
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "shared codes"
        constraints = (models.UniqueConstraint(fields=["partner", "domain"], name="shared_codes_is_one"),)

    def __str__(self) -> str:
        return f"{self.partner}: {self.domain}"
