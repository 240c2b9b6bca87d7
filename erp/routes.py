"""What the ledger listens to, says and answers."""

from erp import connectors, stakes
from erp.flows import journals
from hub import stakes as hub_stakes
from hub.routing import Outbound, Reaction, register
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
    ]
)
hub_stakes.register("deliveries", stakes.assess)
