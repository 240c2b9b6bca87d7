"""What every benchmark tells: progress to standard error, its figures as one JSON object in the last line."""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hub import ROOT


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def figures_of(prefix: str, bench: Callable[[Path], dict[str, Any]]) -> None:
    """Run a benchmark in a new folder below var/, which goes again; show the ends of its logs, print its figures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever stops it leaves no programs behind
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=ROOT / "var"))
    try:
        figures = bench(folder)
    finally:
        for log in sorted(folder.glob("*.log")):
            if log.stat().st_size:
                say(f"--- {log.name}: {log.stat().st_size} bytes, its end:\n{log.read_text()[-600:]}")
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({name: rounded(value) for name, value in figures.items()}))


def rounded(value: Any) -> Any:
    """Three decimals are more than a measurement has; inside of dictionaries and lists too."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value
