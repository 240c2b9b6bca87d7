"""The hub's own invariants (docs/operating/verify.md): messages, deliveries, cases, lanes, saved answers."""

from hub.invariants import cases, deliveries, lineage, messages, states
from hub.verification import register

register([*messages.CHECKS, *cases.CHECKS, *deliveries.CHECKS, *states.CHECKS, *lineage.CHECKS])
