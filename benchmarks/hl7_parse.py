"""How fast the HL7 grammar is on this machine: the door's look, an acknowledgement, a parse, a parse with its fields.

Run as `python -m benchmarks.hl7_parse`. The message is a DFT^P03 of about 1.1 KB with three FT1. Each figure is the
best of many short rounds, so that a busy neighbour counts little; the last line is one JSON object, in microseconds.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from hub.formats import hl7

ROUNDS, CALLS = 40, 1000
FIELDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 26, 28, 29, 30, 31)
LINE = (
    "FT1|{0}|TX202600012{0}||20261120101500|20261121|CG|SUP100{0}^Implant screw 3.5 mm titanium^L|||2|248.50|124.25"
    "|OR01|||ORTHO^12^^NORTH||I|M17.11^Osteoarthritis^I10|1234567^Surgeon^Anna|7654321^Orderer^Paul||FIL000{0}||27447^Knee"
    "^C4|RT"
)
MESSAGE = "\r".join(
    [
        r"MSH|^~\&|BILLING|NORTH|HUB|NET|20261120101700||DFT^P03^DFT_P03|MSG00001234|P|2.5.1|||AL|NE",
        "EVN|P03|20261120101700||||20261120101500",
        "PID|1||MRN00012345^^^NORTH^MR~S-99-0001^^^R^PN||SAMPLE^JANE^Q||19620305|F|||12 Road|||||M||ACCT0012345^^^N^AN",
        "PV1|1|I|ORTHO^12^^NORTH||||1234567^Surgeon^Anna|||SUR||||||||I|VIS00012345",
        *[LINE.format(number) for number in (1, 2, 3)],
        "DG1|1||M17.11^Osteoarthritis^I10",
        "ZPM|1|LOT778|SN-12345|00643169001763",
        "",
    ]
).encode()


def read_all() -> None:
    """What an adapter asks of a charge message: 28 fields of each line and what belongs to it."""
    message = hl7.parse(MESSAGE)
    for line, *_ in message.groups("FT1", {"PR1", "ZPM"}):
        for number in FIELDS:
            line.text(number)
    message.get("PID-18")
    message.get("PV1-10")


def best(function: Callable[[], object]) -> float:
    """Microseconds per call in the best round."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            function()
        rounds.append(time.perf_counter() - start)
    return round(min(rounds) / CALLS * 1e6, 2)


def main() -> None:
    """Prints one line per figure and the JSON object last."""
    envelope = hl7.peek(MESSAGE)
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    errors = [hl7.AckError("FT1^2^7^1", "103")]
    cases: dict[str, Callable[[], object]] = {
        "plain_split_us": lambda: [line.split("|") for line in MESSAGE.decode().split("\r")],
        "split_us": lambda: hl7.split(MESSAGE),
        "peek_us": lambda: hl7.peek(MESSAGE),
        "ack_us": lambda: hl7.ack(envelope, "AA", control_id="A0001", now=now),
        "ack_error_us": lambda: hl7.ack(envelope, "AE", control_id="A0001", now=now, errors=errors),
        "parse_us": lambda: hl7.parse(MESSAGE),
        "parse_and_read_us": read_all,
    }
    figures: dict[str, float] = {"message_bytes": len(MESSAGE)}
    for name, function in cases.items():
        figures[name] = best(function)
        print(f"{name:20} {figures[name]:8.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
