"""What billing listens to, says and answers."""

from billing import stakes, visit_words, words
from billing.adapters import hl7
from billing.flows import charges, visits
from hub import stakes as hub_stakes
from hub.routing import Inbound, Reaction, register
from mappings.canonical import JournalPosted

register(
    [
        Inbound(
            name="charges.dft",
            format="hl7v2",
            kinds=("DFT^P03", "DFT^P11"),
            read=hl7.read_dft,
            translate=words.translate_charges,
            apply=charges.capture,
            hold=charges.hold,
            repeatable=True,
        ),
        Inbound(
            name="visits.adt",
            format="hl7v2",
            kinds=tuple(
                f"ADT^A{event}" for event in ("01", "03", "04", "06", "07", "08", "11", "13", "35", "36", "40", "41")
            ),
            read=hl7.read_adt,
            translate=visit_words.translate_visits,
            apply=visits.record,
        ),
        Reaction(name="charges.posted", facts=(JournalPosted,), apply=charges.mark_posted, owner="finance"),
    ]
)
hub_stakes.register("messages", stakes.assess)
