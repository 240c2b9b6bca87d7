"""The shared language: canonical documents, facts, questions and their answers. Plain Python, no framework."""

from mappings.canonical.charges import CapturedLine, Charge, ChargeCaptured, ChargeReversed, ReversedLine
from mappings.canonical.ledger import CostAllocated, JournalPosted, Leg
from mappings.canonical.questions import DimensionQuestion, DimensionVerdict
from mappings.canonical.visits import VisitEvent

__all__ = [
    "CapturedLine",
    "Charge",
    "ChargeCaptured",
    "ChargeReversed",
    "CostAllocated",
    "DimensionQuestion",
    "DimensionVerdict",
    "JournalPosted",
    "Leg",
    "ReversedLine",
    "VisitEvent",
]
