"""Which role may what, as data. Groups carry the names of `access.ROLES`; permissions are verbs.

`apply()` makes the groups say what stands here. A permission that staff gave a group beside these is kept, so that a
hospital can widen a role; what is taken out of this table is not taken away by itself. No user is ever made here: a
fresh install has roles and nobody in them.
"""

from typing import Any

from django.apps import apps
from django.db.models import Q

from hub.access import ROLES
from hub.errors import HubError

# What everybody reads who has a role. Raw messages are not among it: they hold what a patient's chart holds.
_READ = (
    "hub.view_partner",
    "hub.view_endpoint",
    "hub.view_message",
    "hub.view_delivery",
    "hub.view_dispatch",
    "hub.view_fact",
    "hub.view_exceptioncase",
    "hub.view_waiting",
    "hub.view_alertrule",
    "hub.view_alertepisode",
    "hub.view_replay",
    "hub.view_overdue",
    "hub.view_deadline",
    "hub.view_expectation",
    "hub.view_businesscalendar",
    "hub.view_inboundfile",
    "mappings.view_mapping",
    "mappings.view_sharedcodes",
    "mappings.view_facility",
    "mappings.view_department",
    "mappings.view_location",
    "mappings.view_costcenter",
    "mappings.view_glaccount",
    "mappings.view_serviceline",
    "mappings.view_period",
    "mappings.view_chargecode",
    "mappings.view_item",
    "mappings.view_vendor",
    "mappings.view_payerclass",
    "billing.view_charge",
    "billing.view_visit",
    "erp.view_journal",
    "erp.view_journalline",
    "erp.view_allocation",
    "erp.view_splitrule",
    "erp.view_splitshare",
)
# Addresses of webhooks, and what became of calls and digests: for those who set them up, and those who look after that.
_TOLD = ("hub.view_webhook", "hub.view_webhookcall", "hub.view_digest")
_CASES = (
    "hub.assign_exceptioncase",
    "hub.resolve_exceptioncase",
    "hub.retry_exceptioncase",
    "hub.waive_exceptioncase",
)
PERMISSIONS: dict[str, tuple[str, ...]] = {
    "revenue_cycle": (
        *_READ,
        *_CASES,
        "hub.view_raw_message",
        "hub.search_content",
        "mappings.propose_mapping",
        "mappings.approve_mapping",
        "mappings.retire_mapping",
        "mappings.change_chargecode",
        "billing.release_charge",
        "billing.waive_charge",
        "billing.change_visit",
    ),
    "supply_chain": (*_READ, *_CASES, "mappings.propose_mapping"),
    # Approves what others prepared, and prepares nothing: the other half of every four-eyes rule.
    "approver": (
        *_READ,
        "hub.assign_exceptioncase",
        "hub.retry_exceptioncase",
        "mappings.approve_mapping",
        "hub.approve_replay",
    ),
    "finance": (
        *_READ,
        *_CASES,
        "mappings.propose_mapping",
        "mappings.approve_mapping",
        "mappings.retire_mapping",
        "hub.retry_delivery",
        "hub.waive_delivery",
        "hub.resolve_dispatch",
        "hub.approve_replay",
        "erp.add_splitrule",
        "erp.change_splitrule",
        "erp.add_splitshare",
        "erp.change_splitshare",
        "erp.delete_splitshare",
    ),
    "integration": (
        *_READ,
        *_CASES,
        "hub.view_raw_message",
        "hub.search_content",
        "hub.retry_message",
        "hub.waive_message",
        "hub.retry_delivery",
        "hub.waive_delivery",
        "hub.resolve_dispatch",
        "hub.edit_message",
        "hub.plan_replay",
        "hub.run_replay",
        "hub.add_partner",
        "hub.change_partner",
        "hub.add_endpoint",
        "hub.change_endpoint",
        "hub.pause_endpoint",
        "hub.drain_endpoint",
        "hub.resend_delivery",
        *_TOLD,
        "hub.add_webhook",
        "hub.change_webhook",
        "hub.add_alertrule",
        "hub.change_alertrule",
        "hub.add_deadline",
        "hub.change_deadline",
        "hub.add_expectation",
        "hub.change_expectation",
        "hub.add_businesscalendar",
        "hub.change_businesscalendar",
        "hub.switch_breaker",
        "hub.post_inbound",
        "mappings.propose_mapping",
        "mappings.retire_mapping",
        "mappings.add_sharedcodes",
        "mappings.change_sharedcodes",
        "mappings.delete_sharedcodes",
    ),
    # Reads everything that was decided, and moves nothing.
    "auditor": (*_READ, *_TOLD, "hub.view_auditentry", "hub.view_apikey", "hub.view_facilitygrant"),
}


def apply() -> dict[str, int]:
    """Make every role's group and give it its permissions; returns how many were new, by role. Idempotent.

    Raises `HubError` (ROLE_PERMISSION) where this table names a permission that does not exist.
    """
    wanted = {name for names in PERMISSIONS.values() for name in names}
    found = _permissions(wanted)
    if missing := sorted(wanted - found.keys()):
        raise HubError(
            "ROLE_PERMISSION", f"There is no permission {', '.join(missing)}. Run migrate, or mend hub.roles."
        )
    return _grant(found)


def after_migrate(app_config: Any, **_kwargs: Any) -> None:
    """Receiver of post_migrate: once, after the last app, when all permissions are there."""
    if app_config is list(apps.get_app_configs())[-1]:
        apply()


def _permissions(names: set[str]) -> dict[str, Any]:
    asked = Q()
    for name in names:
        app, _, codename = name.partition(".")
        asked |= Q(content_type__app_label=app, codename=codename)
    rows = apps.get_model("auth", "Permission")._default_manager.filter(asked).select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}": row for row in rows}


def _grant(found: dict[str, Any]) -> dict[str, int]:
    new = {}
    for role in ROLES:
        group, _ = apps.get_model("auth", "Group")._default_manager.get_or_create(name=role)
        held = set(group.permissions.values_list("pk", flat=True))
        lacking = [found[name] for name in PERMISSIONS[role] if found[name].pk not in held]
        group.permissions.add(*lacking)
        new[role] = len(lacking)
    return new
