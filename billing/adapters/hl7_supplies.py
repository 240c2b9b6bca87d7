"""Which item, lot, serial number and UDI a charge line used: from where the endpoint says, else FT1-34 and PRT."""

from collections.abc import Sequence
from typing import Final

from billing.adapters.hl7_line import Line
from billing.adapters.hl7_settings import ITEM_FIELDS, ChargeSettings
from billing.adapters.notes import Notes
from hub.formats import hl7

# Insurance, guarantors and accidents are the whole message's again, so a line's own segments end before them.
_AFTER_THE_LINES: Final = frozenset({"GT1", "IN1", "ACC"})
# PRT of v2.8: where participating devices say what they are.
_DEVICE: Final = (("udi", 10), ("udi", 16), ("lot", 19), ("serial", 20))


def supply_groups(message: hl7.Message, options: ChargeSettings) -> dict[int, list[hl7.Segment]]:
    """Each FT1, by its position, with the segments that follow it and tell more of it; empty where nobody will ask.

    Where orders come before their charges, an ORC begins the next charge's group.
    """
    if not options.paths and not message.all("PRT"):
        return {}
    groups: dict[int, list[hl7.Segment]] = {}
    orders_first = ended = False
    for segment in message.segments:
        name = segment.name
        if name == "FT1":
            groups[len(groups) + 1] = [segment]
            ended = False
        elif not groups:
            orders_first = orders_first or name == "ORC"
        elif ended or name in _AFTER_THE_LINES or (orders_first and name == "ORC"):
            ended = True
        else:
            groups[len(groups)].append(segment)
    return groups


def read_supplies(line: Line, group: Sequence[hl7.Segment], options: ChargeSettings, notes: Notes) -> dict[str, str]:
    """`item`, `lot`, `serial` and `udi`, as far as the line names them; `group` is the line's FT1 and what follows."""
    found = dict.fromkeys(ITEM_FIELDS, "")
    names = [segment.name for segment in group]
    for name, place in options.paths:
        count = names.count(place.segment)
        if count >= place.occurrence:
            found[name] = place.read(group).strip()
        if count > place.occurrence:
            remark = f"several {place.segment} follow one line, setting paths.{name} reads number {place.occurrence}"
            notes.add(remark, line.at)
    found["item"] = found["item"] or line.code(34)
    if "PRT" not in names:
        return found
    for segment in group:
        if segment.name == "PRT":
            for name, field in _DEVICE:
                found[name] = found[name] or segment.text(field).strip()
    return found
