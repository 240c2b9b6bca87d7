"""The demo's crosswalk: what CareBill calls our departments, proposed by one person and approved by another."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.auth import get_user_model

from hub.access import person
from hub.models import Partner
from mappings.demo.endpoints import BILLING
from mappings.flows import mappings
from mappings.models import Mapping as Row
from mappings.models import SharedCodes

# Domains in which CareBill speaks our own codes.
SHARED = ("charge_code", "facility")
REASON = "Loaded with the demo network."


def load(network: Mapping[str, Any]) -> Iterator[str]:
    """Add shared codes and mappings that nobody made yet. Codes that the file leaves unmapped stay so."""
    partner = Partner.objects.get(code=BILLING)
    for domain in SHARED:
        SharedCodes.objects.get_or_create(partner=partner, domain=domain)
    users = get_user_model().objects
    author, approver = person(users.get(username="finance")), person(users.get(username="approver"))
    open_ = {(row["facility"], row["wire_code"]) for row in network["unmapped_departments"]}
    known = set(Row.objects.filter(partner=partner, domain="department").values_list("facility", "source_code"))
    senders = {row["code"]: row["sending_facility"] for row in network["facilities"]}
    new = 0
    for row in network["departments"]:
        code = row["wire_code"]
        # Known in any state: what a person retired or rejected is not brought back.
        if code and (row["facility"], code) not in open_ and (senders[row["facility"]], code) not in known:
            proposal = mappings.propose(
                partner=partner, domain="department", facility=senders[row["facility"]], source_code=code,
                target_code=row["code"], reason=REASON, by=author,
            )  # fmt: skip
            mappings.approve(proposal, by=approver)
            new += 1
    yield f"mappings: {new} added, {len(known)} there, {len(open_)} left open for you to map"
