"""How fast charge messages become canonical charges on this machine: parse, read, and both; an ADT for comparison.

Run as `python -m benchmarks.read_dft`. The DFT^P03 has about 1.1 KB and three FT1 with most fields filled; the second
case adds settings that look into Z-segments. Each figure is the best of many short rounds, so that a busy neighbour
counts little; the last line is one JSON object, in microseconds per message.
"""

import json
import time
from collections.abc import Callable

from benchmarks.hl7_parse import MESSAGE
from billing.adapters.hl7 import read_adt, read_dft
from hub.formats import hl7

ADMISSION = MESSAGE.split(b"\rFT1")[0].replace(b"DFT^P03^DFT_P03", b"ADT^A01^ADT_A01") + b"\r"
PATHS = {"paths": {"lot": "ZPM-2", "serial": "ZPM-3", "udi": "ZPM-4"}}
ROUNDS, CALLS = 1000, 10


def best(function: Callable[[], object]) -> float:
    """Microseconds per call in the best round; a round is short enough to fit between a busy neighbour's turns."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            function()
        rounds.append(time.perf_counter() - start)
    return round(min(rounds) / CALLS * 1e6, 2)


def main() -> None:
    """Prints one line per figure and the JSON object last."""
    cases: dict[str, Callable[[], object]] = {
        "parse_us": lambda: hl7.parse(MESSAGE),
        "parse_and_read_dft_us": lambda: read_dft(hl7.parse(MESSAGE), {}),
        "parse_and_read_dft_with_paths_us": lambda: read_dft(hl7.parse(MESSAGE), PATHS),
        "parse_and_read_adt_us": lambda: read_adt(hl7.parse(ADMISSION), {}),
    }
    charges = len(read_dft(hl7.parse(MESSAGE), {}).documents)
    figures: dict[str, float] = {"message_bytes": len(MESSAGE), "charges": charges}
    for name, function in cases.items():
        figures[name] = best(function)
        print(f"{name:34} {figures[name]:8.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
