"""What every master record has: a code, a name, and the dates between which it may be used."""

from datetime import date
from typing import Self

from django.db import models
from simple_history.models import HistoricalRecords


class MasterQuerySet(models.QuerySet["MasterRecord"]):
    """Look-ups that speak."""

    def usable_on(self, day: date) -> Self:
        """Active, and in its dates on that day."""
        return self.filter(active=True, valid_from__lte=day).exclude(valid_to__lt=day)


class MasterRecord(models.Model):
    """Content is the ERP's (`erp.flows.sync` writes it). Never deleted: it is deactivated, history needs it."""

    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)
    valid_from = models.DateField(default=date(2000, 1, 1))
    valid_to = models.DateField(null=True, blank=True, help_text="Last day on which it may be used.")
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords(inherit=True)
    objects = MasterQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("code",)

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    def reason_against(self, day: date) -> str:
        """Why it may not be used on that day, in a word ("inactive", "not_yet_valid", "expired"), or ""."""
        if not self.active:
            return "inactive"
        if day < self.valid_from:
            return "not_yet_valid"
        if self.valid_to is not None and day > self.valid_to:
            return "expired"
        return ""


def master_constraints(name: str, *unique: str) -> tuple[models.BaseConstraint, ...]:
    """The rules of every master table: its natural key is one, its dates are in order."""
    return (
        models.UniqueConstraint(fields=unique or ("code",), name=f"{name}_is_one"),
        models.CheckConstraint(
            condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gte=models.F("valid_from")),
            name=f"{name}_dates_are_in_order",
        ),
    )
