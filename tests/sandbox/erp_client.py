"""A client of the REST ledger that shares nothing with the hub's connector, and journals to post with it."""

import http.client
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.sandbox.processes import Program

TOKEN = "a-token-for-tests"


class ErpProcess:
    """The stand-in ERP in a process of its own, with a connection to it."""

    def __init__(self, ledger: Path, *arguments: str) -> None:
        self.program = Program("sandbox.erp", "--port", "0", "--ledger", str(ledger), "--token", TOKEN, *arguments)
        ready = self.program.line_with("ready on")
        self.port = int(ready.split("://")[1].split(",")[0].rpartition(":")[2])
        self.connection = self.connect()

    def connect(self, timeout: float = 20) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(self, method: str, path: str, document: Any = None, **headers: str) -> tuple[int, Any]:
        """Make a request. Returns the status and the decoded body. Reconnects by itself, as http.client does."""
        body = None if document is None else json.dumps(document).encode()
        try:
            self.connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **headers})
            response = self.connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            raise

    def get(self, path: str) -> Any:
        """Return the body of a GET that succeeds."""
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def post(self, journal: dict[str, Any]) -> tuple[int, Any]:
        """Post a journal."""
        return self.call("POST", "/v1/journals", journal)

    def fault(self, **fault: Any) -> None:
        """Make the ERP misbehave."""
        status, body = self.call("POST", "/_sandbox/faults", fault)
        assert status == 200, body

    def injected(self) -> dict[str, int]:
        """Return how often each fault struck."""
        return self.get("/_sandbox/faults")["injected"]

    def totals(self) -> dict[str, Any]:
        """Return the ledger's totals."""
        return self.get("/v1/totals")

    def stop(self) -> int:
        """Stop the process in good order."""
        self.connection.close()
        return self.program.stop()


def today() -> str:
    """Return a posting date in the open period."""
    return datetime.now(UTC).date().isoformat()


def journal(key: str, *amounts: str, **changes: Any) -> dict[str, Any]:
    """Return a balanced journal: for each amount a line that debits an expense and one that credits the inventory."""
    lines = []
    for number, amount in enumerate(amounts or ("12.3400",), 1):
        shared = {"cost_center": "CC-R110", "reference": f"{key}-charge-{number}", "statistical_quantity": "1"}
        debit = {"line_key": f"{key}/{number}/1", "account": "6225", "debit": amount, "credit": "0"}
        credit = {"line_key": f"{key}/{number}/2", "account": "1420", "debit": "0", "credit": amount}
        lines += [{**debit, **shared, "memo": ""}, {**credit, **shared, "memo": ""}]
    head = {"external_key": key, "entity": "RIVER", "currency": "USD", "posting_date": today(), "description": "test"}
    return {**head, "lines": lines, **changes}
