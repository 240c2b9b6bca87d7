"""What the ledger listens to, says and answers."""

from datetime import timedelta

from erp import connectors, milestones, stakes
from erp.flows import journals
from hub import stakes as hub_stakes
from hub.routing import Journey, Milestone, Outbound, Reaction, register
from mappings.canonical import ChargeCaptured, ChargeReversed, CostAllocated

register(
    [
        Reaction(
            name="journals.allocate",
            facts=(ChargeCaptured, ChargeReversed),
            apply=journals.allocate_cost,
            owner="finance",
        ),
        Outbound(
            name="journals.post",
            fact=CostAllocated,
            format="rest_ledger",
            group=lambda fact: f"{fact.facility}|{fact.currency}|{fact.posting_date}",
            weight=lambda fact: len(fact.legs),
            limit=200,
            assemble=journals.assemble,
            send=connectors.post_journal,
            find=connectors.find_journal,
            settle=journals.settle,
            keyed=True,
            case="ALLOC_FAILED",
            owner="finance",
        ),
        Journey(
            name="charge_to_cost",
            label="Charge to cost",
            milestones=(
                Milestone(
                    name="cost_allocated", label="Cost allocated", by="journals.allocate",
                    within=timedelta(minutes=15), about=milestones.of_charges, owner="finance",
                    advice="Are the workers running? What stopped has a case of its own that names the missing cost.",
                ),
                Milestone(
                    name="journal_posted", label="Journal posted", by="journals.post", within=timedelta(hours=4),
                    about=milestones.of_allocation, owner="finance",
                    advice="Does the ERP answer? Its endpoint's page tells; what it refused has a case of its own.",
                ),
                Milestone(
                    name="billing_told", label="Billing told", by="charges.posted", within=timedelta(hours=1),
                    about=milestones.of_journal, owner="integration",
                    advice="The ERP has the journals; the charges do not say so yet. Are the workers running?",
                ),
            ),
        ),
    ]
)  # fmt: skip
hub_stakes.register("deliveries", stakes.assess)
