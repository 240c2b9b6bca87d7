"""What billing listens to, says and answers."""

from billing import words
from billing.adapters import hl7
from billing.flows import charges
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
        ),
        Reaction(name="charges.posted", facts=(JournalPosted,), apply=charges.mark_posted, owner="finance"),
    ]
)
