"""A small network for tests: two hospitals, a billing partner, and people who may map."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from hub.models import FacilityGrant, Partner
from mappings.models import (
    ChargeCode,
    CostCenter,
    Department,
    Facility,
    GLAccount,
    Mapping,
    Period,
    ServiceLine,
    SharedCodes,
)

START = date(2024, 1, 1)


def user(name: str, *facilities: str, **attributes: Any) -> Any:
    """A staff user who sees these facilities."""
    made = get_user_model().objects.create_user(name, password=None, is_staff=True, **attributes)
    FacilityGrant.objects.bulk_create(FacilityGrant(user=made, facility=code) for code in facilities)
    return made


def approved(partner: Partner, domain: str, source: str, target: str, facility: str = "", **fields: Any) -> Mapping:
    """A mapping in force, as two people left it."""
    users = get_user_model().objects
    proposer = users.get_or_create(username="pat.proposer")[0]
    approver = users.get_or_create(username="ann.approver")[0]
    return Mapping.objects.create(
        partner=partner, domain=domain, facility=facility, source_code=source, target_code=target,
        **{"status": "approved", "proposed_by": proposer, "approved_by": approver, "approved_at": timezone.now()}
        | fields,
    )  # fmt: skip


def build() -> Partner:
    """RIVER and NORTH with one department each, open November 2026, closed October; returns the partner CAREBILL."""
    expense = GLAccount.objects.create(code="6210", name="Supplies", kind="expense")
    clearing = GLAccount.objects.create(code="6920", name="Clearing", kind="expense")
    line = ServiceLine.objects.create(code="CARDIAC", name="Heart and vascular")
    for code, department in (("RIVER", "R110"), ("NORTH", "N110")):
        home = Facility.objects.create(
            code=code, name=code.title(), valid_from=START, time_zone="America/Chicago", clearing_account=clearing
        )
        center = CostCenter.objects.create(code=f"CC-{department}", name=department, facility=code, valid_from=START)
        Department.objects.create(
            code=department, name=f"Department {department}", facility=home, cost_center=center, service_line=line,
            expense_account=expense, cost_ratio=Decimal("0.2500"), valid_from=START,
        )  # fmt: skip
        for month, ends, status in ((10, 31, "closed"), (11, 30, "open"), (12, 31, "future")):
            Period.objects.create(
                facility=code, code=f"2026-{month}", starts=date(2026, month, 1), ends=date(2026, month, ends),
                status=status,
            )  # fmt: skip
    ChargeCode.objects.create(
        code="2701001", name="Dressing", revenue_code="0270", price=Decimal("18.5"), unit_cost=Decimal("3.12"),
        expense_account=expense, valid_from=START,
    )  # fmt: skip
    ChargeCode.objects.create(code="2706014", name="Implant", revenue_code="0278", price=2500, valid_from=START)
    partner = Partner.objects.create(code="carebill", name="Carebill", kind="billing")
    SharedCodes.objects.create(partner=partner, domain="charge_code")
    SharedCodes.objects.create(partner=partner, domain="facility")
    approved(partner, "department", "CATHLAB", "R110", facility="RIVER")
    approved(partner, "department", "EMER", "N110", facility="NORTH")
    return partner
