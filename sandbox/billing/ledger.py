"""The sender's own record: one JSON line for every message that was answered, or that nobody answered in the end."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sandbox.billing.messages import Made
from sandbox.mllp import Ack


class ClientLedger:
    """Appends to the file, a whole line at a time; without a file it forgets."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, made: Made, ack: Ack | None, attempts: int, first_sent: datetime) -> None:
        """Record how a message ended. Without an acknowledgement its fate is unknown to the sender."""
        if self._file is None:
            return
        entry = {
            "control_id": made.control_id,
            "sha256": hashlib.sha256(made.raw).hexdigest(),
            "facility": made.facility,
            "account": made.account,
            "kind": made.kind,
            "ack": ack.code if ack else None,
            "error": ack.error if ack else None,
            "attempts": attempts,
            "sent_at": first_sent.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
        }
        self._file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
