"""Faults on request: how this ERP misbehaves, how often, and how often it did."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.erp.errors import Refused

JOURNALS = "/v1/journals"
# Every mode with its own options and their defaults.
MODES: dict[str, dict[str, Any]] = {
    "slow": {"delay_s": 1.0},
    "down": {},
    "unavailable": {"retry_after": 1},
    "rate_limit": {"per_second": 1.0, "retry_after": 1},
    "commit_then_die": {"exit": False},
    "commit_then_hang": {"hang_s": 300.0},
    "reject": {"code": "period_closed", "message": "refused on request"},
    "garbage": {"body": "text", "size": 64 * 1024 * 1024},
    "id_missing": {},
}
# These tell of a journal and act on its posting only.
ON_POSTING = {"commit_then_die", "commit_then_hang", "reject", "id_missing"}
# These let the journal through first.
AFTER_COMMIT = {"commit_then_die", "commit_then_hang", "id_missing"}
COMMON: dict[str, Any] = {"times": None, "seconds": None, "probability": 1.0, "seed": None, "path": ""}
NUMBERS = {"delay_s", "retry_after", "per_second", "hang_s", "size", "times", "seconds", "probability"}
GARBAGE_BODIES = ("text", "html", "truncated", "huge")


class Fault:
    """One fault with its options, and how much of it is left."""

    def __init__(self, document: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.options = _checked(document)
        self.mode: str = self.options["mode"]
        self._clock = clock
        self._random = random.Random(self.options["seed"])
        self._left = self.options["times"]
        self._ends = None if self.options["seconds"] is None else clock() + self.options["seconds"]
        self._allowance = float(self.options.get("per_second", 0))
        self._refilled = clock()

    @property
    def spent(self) -> bool:
        """Tell whether this fault will never strike again."""
        return (self._left is not None and self._left <= 0) or (self._ends is not None and self._clock() >= self._ends)

    def strikes(self, method: str, path: str) -> bool:
        """Decide whether this request is hit. A fault that lets the journal through first is counted later."""
        if self.spent or not self._concerns(method, path):
            return False
        if self.mode == "rate_limit" and self._allowed():
            return False
        return self._random.random() < float(self.options["probability"])

    def use(self) -> None:
        """Count one strike."""
        if self._left is not None:
            self._left -= 1

    def document(self) -> dict[str, Any]:
        """Return the fault as the protocol shows it, with the strikes that are left."""
        return {**self.options, "times": self._left}

    def _concerns(self, method: str, path: str) -> bool:
        if self.mode in ON_POSTING and (method, path) != ("POST", JOURNALS):
            return False
        return path.startswith(self.options["path"] or "/v1/")

    def _allowed(self) -> bool:
        """Take one request out of the bucket, if there is one in it."""
        now = self._clock()
        rate = float(self.options["per_second"])
        self._allowance = min(max(rate, 1.0), self._allowance + (now - self._refilled) * rate)
        self._refilled = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


class Faults:
    """The active faults, and a count of what was injected since the start."""

    def __init__(self) -> None:
        self._active: list[Fault] = []
        self.injected: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._active)

    def set(self, document: Any) -> None:
        """Replace the active faults. Raises Refused (422) if one of them is not understood; then nothing changes."""
        documents = document.get("faults", [document]) if isinstance(document, dict) else None
        if not isinstance(documents, list):
            raise Refused(422, "invalid_field", 'send one fault as an object, or {"faults": [...]}')
        self._active = [Fault(each) for each in documents]

    def clear(self) -> None:
        """Be a good ERP again."""
        self._active = []

    def striking(self, method: str, path: str) -> list[Fault]:
        """Return the faults that hit this request, the delays first. Another request may use them up meanwhile."""
        self._active = [fault for fault in self._active if not fault.spent]
        hit = [fault for fault in self._active if fault.strikes(method, path)]
        return sorted(hit, key=lambda fault: fault.mode != "slow")

    def injecting(self, fault: Fault) -> None:
        """Count a strike."""
        fault.use()
        self.injected[fault.mode] += 1

    def document(self) -> dict[str, Any]:
        """Return what is active and what was injected."""
        active = [fault.document() for fault in self._active if not fault.spent]
        return {"active": active, "injected": dict(self.injected)}


def _checked(document: Any) -> dict[str, Any]:
    """Return a fault's options with their defaults. Raises Refused (422) for what is not understood."""
    if not isinstance(document, Mapping):
        raise Refused(422, "invalid_field", "a fault must be an object")
    mode = document.get("mode")
    if not isinstance(mode, str) or mode not in MODES:
        raise Refused(422, "invalid_field", f"mode must be one of {', '.join(MODES)}")
    options = {"mode": mode, **MODES[mode], **COMMON}
    if unknown := document.keys() - options.keys():
        raise Refused(422, "invalid_field", f"mode {mode} has no option {min(unknown)!r}")
    options.update(document)
    _check_values(options, NUMBERS & {name for name in options if options[name] is not None})
    return options


def _check_values(options: Mapping[str, Any], numbers: Iterable[str]) -> None:
    """Refuse values that would only fail when the fault strikes."""
    for name in numbers:
        if isinstance(options[name], bool) or not isinstance(options[name], int | float) or options[name] < 0:
            raise Refused(422, "invalid_field", f"{name} must be a number that is not negative")
    for name in ("times", "seed"):
        if options[name] is not None and not isinstance(options[name], int):
            raise Refused(422, "invalid_field", f"{name} must be a whole number")
    for name in ("path", "code", "message"):
        if not isinstance(options.get(name, ""), str):
            raise Refused(422, "invalid_field", f"{name} must be a text")
    if options["path"] and not options["path"].startswith("/v1/"):
        raise Refused(422, "invalid_field", "path must begin with /v1/")
    if options.get("body", "text") not in GARBAGE_BODIES:
        raise Refused(422, "invalid_field", f"body must be one of {', '.join(GARBAGE_BODIES)}")
