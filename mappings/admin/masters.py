"""Master data, read-only: its content is the ERP's. Shared codes are ours to set."""

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse

from hub import navigation, shapes
from hub.admin.base import EditableAdmin, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.viewer import Viewer
from mappings.admin import imports
from mappings.models import (
    ChargeCode,
    CostCenter,
    Department,
    Facility,
    GLAccount,
    Item,
    Location,
    PayerClass,
    Period,
    ServiceLine,
    SharedCodes,
    Vendor,
)
from mappings.models.crosswalk import DOMAINS

TEACHES = ("No records yet.", "They come from the ERP with the next synchronisation, or from an import.")
READ_ONLY = "The ERP owns these records; the hub reads them and never changes them by hand."


def state(row: Any) -> Any:
    """Whether a master record may be used today, as a pill."""
    reason = row.reason_against(date.today())  # noqa: DTZ011  (the server's day is near enough for a list)
    return shapes.pill(reason or "active", reason.replace("_", " ").capitalize() or "Usable")


CODE, NAME = Column("Code", "code", "code"), Column("Name", "name")
FROM, TO = Column("From", "valid_from", "short"), Column("To", "valid_to", "short")
STATE = Column("Today", state, "status")
ACTIVE = Filter("active", "Records", {"yes": "Active", "no": "Inactive"}, lambda q, v: q.filter(active=v == "yes"))


def facilities(who: Viewer) -> dict[str, str]:
    """Our facilities, for a filter."""
    return {code: code for code in who.scope(Facility.objects.order_by("code"), "code").values_list("code", flat=True)}


class MasterAdmin(EvidenceAdmin):
    """What all master records share."""

    intro = READ_ONLY
    search_hint = "Code or words of the name"
    order = ("code",)
    columns = (CODE, NAME, FROM, TO, STATE)
    filters = (ACTIVE,)
    teaches = TEACHES
    related: tuple[str, ...] = ()

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the records that its columns name."""
        return queryset.select_related(*self.related) if self.related else queryset

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By code or name: these tables are small."""
        return queryset.filter(code__iexact=term) | queryset.filter(name__icontains=term), True

    def facts(self, row: Any, who: Viewer) -> list[tuple[str, Any]]:
        """Every field, as the ERP gave it."""
        silent = {"id", "code", "name", "active"}
        told = [(field, getattr(row, field.name)) for field in self.opts.fields if field.name not in silent]
        return [
            ("Today", state(row)),
            *((str(field.verbose_name).capitalize(), shown(value)) for field, value in told),
        ]  # fmt: skip


def shown(value: Any) -> Any:
    """A field's value on a record's page."""
    if value is None or value == "":
        return shapes.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shapes.stamp(value) if hasattr(value, "tzinfo") else value


@admin.register(Facility)
class FacilityAdmin(MasterAdmin):
    """Hospitals."""

    facility_field = "code"
    columns = (CODE, NAME, Column("Clock", "time_zone"), Column("Currency", "currency", "short"), STATE)


@admin.register(Department)
class DepartmentAdmin(MasterAdmin):
    """Performing departments."""

    facility_field = "facility__code"
    order = ("facility__code", "code")
    related = ("facility", "cost_center", "service_line", "expense_account")
    columns = (
        CODE, NAME, Column("Facility", lambda d: d.facility.code, "short"),
        Column("Cost centre", lambda d: d.cost_center.code, "code"),
        Column("Service line", lambda d: d.service_line.name if d.service_line else ""), STATE,
    )  # fmt: skip
    filters = (Filter("facility", "Facility", facilities, by_field("facility__code")), ACTIVE)


@admin.register(Location)
class LocationAdmin(MasterAdmin):
    """Where stock lies."""

    facility_field = "facility__code"
    order = ("facility__code", "code")
    related = ("facility", "department")
    columns = (
        CODE, NAME, Column("Facility", lambda d: d.facility.code, "short"),
        Column("Department", lambda d: d.department.code if d.department else "", "code"), STATE,
    )  # fmt: skip
    filters = (Filter("facility", "Facility", facilities, by_field("facility__code")), ACTIVE)


@admin.register(CostCenter)
class CostCenterAdmin(MasterAdmin):
    """Where cost lands."""

    facility_field = "facility"
    columns = (CODE, NAME, Column("Facility", "facility", "short"),
               Column("Postable", lambda c: "yes" if c.postable else "group"), FROM, TO, STATE)  # fmt: skip
    filters = (Filter("facility", "Facility", facilities, by_field("facility")), ACTIVE)


@admin.register(GLAccount)
class GLAccountAdmin(MasterAdmin):
    """Natural accounts."""

    columns = (CODE, NAME, Column("Kind", lambda a: GLAccount.KINDS.get(a.kind, a.kind)),
               Column("Postable", lambda a: "yes" if a.postable else "group"), STATE)  # fmt: skip
    filters = (Filter("kind", "Kind", GLAccount.KINDS, by_field("kind")), ACTIVE)


@admin.register(ChargeCode)
class ChargeCodeAdmin(imports.ImportMixin, MasterAdmin):
    """The charge description master."""

    importing = imports.CHARGE_CODES
    order = ("code", "facility")
    related = ("expense_account", "service_line")
    columns = (
        CODE, NAME, Column("Revenue code", "revenue_code", "code"), Column("Facility", lambda c: c.facility or "all"),
        Column("Price", "price", "money"), Column("Unit cost", "unit_cost", "money"), STATE,
    )  # fmt: skip


@admin.register(ServiceLine)
class ServiceLineAdmin(MasterAdmin):
    """What margins are read by."""


@admin.register(Item)
class ItemAdmin(MasterAdmin):
    """Supply items."""

    related = ("vendor",)
    columns = (
        CODE, NAME, Column("Unit", "uom", "short"), Column("Vendor", lambda i: i.vendor.name if i.vendor else ""),
        Column("Standard cost", "standard_cost", "money"), STATE,
    )  # fmt: skip


@admin.register(Vendor)
class VendorAdmin(MasterAdmin):
    """Suppliers."""


@admin.register(PayerClass)
class PayerClassAdmin(MasterAdmin):
    """Commercial, Medicare, self-pay."""


@admin.register(Period)
class PeriodAdmin(EvidenceAdmin):
    """Posting periods; closing belongs to the ERP."""

    facility_field = "facility"
    intro = "Posting periods of each facility. Closing belongs to the ERP; the hub dates its postings into open ones."
    order = ("facility", "-starts")
    columns = (
        Column("Period", "code", "code"), Column("Facility", "facility", "short"),
        Column("First day", "starts", "short"), Column("Last day", "ends", "short"),
        Column("Status", "status", "status"),
    )  # fmt: skip
    filters = (
        Filter("facility", "Facility", facilities, by_field("facility")),
        Filter("status", "Status", Period.STATUSES, by_field("status")),
    )
    teaches = TEACHES

    def facts(self, row: Period, who: Viewer) -> list[tuple[str, Any]]:
        """The period."""
        return [("Facility", row.facility), ("First day", row.starts), ("Last day", row.ends)]


@admin.register(SharedCodes)
class SharedCodesAdmin(EditableAdmin):
    """Partners that speak our own codes."""

    intro = "Where a partner speaks our own codes: what has no mapping is looked up as it stands."
    order = ("partner__name", "domain")
    columns = (Column("Partner", lambda s: s.partner.name), Column("Codes", lambda s: DOMAINS[s.domain]))
    teaches = ("No shared codes.", "Every code of every partner needs a mapping then.")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the partner's name."""
        return queryset.select_related("partner")


def shelf(model: Any, help_: str) -> navigation.Link:
    """A link to a model's list on the set-up page."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    label = str(model._meta.verbose_name_plural)
    permission = f"{model._meta.app_label}.view_{model._meta.model_name}"
    return navigation.Link(label[0].upper() + label[1:], f"admin:{name}_changelist", permission, help_)


navigation.put(
    "Words: master data from the ERP",
    shelf(Facility, "Hospitals, their clocks and currencies"),
    shelf(Department, "Who performs, and whose cost centre it is"),
    shelf(CostCenter, "Where cost lands"),
    shelf(GLAccount, "Natural accounts of the ledger"),
    shelf(ChargeCode, "The charge description master"),
    shelf(ServiceLine, "What margins are read by"),
    shelf(Period, "Which months are open"),
    shelf(Location, "Where stock lies"),
    shelf(Item, "Supply items"),
    shelf(Vendor, "Suppliers"),
    shelf(PayerClass, "Who pays"),
    shelf(SharedCodes, "Partners that speak our own codes"),
)
navigation.put(
    "Spreadsheets",
    navigation.Link(
        "Import mappings", "admin:mappings_mapping_import", imports.MAPPINGS.permission,
        "A CSV or XLSX file of codes becomes proposals",
    ),
    navigation.Link(
        "Import charge codes", "admin:mappings_chargecode_import", imports.CHARGE_CODES.permission,
        "A CSV or XLSX file adds and changes charge codes",
    ),
)  # fmt: skip


def address_of(record: Any) -> str:
    """The page of a master record."""
    return reverse(f"admin:mappings_{record._meta.model_name}_change", args=[record.pk])
