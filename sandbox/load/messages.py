"""Messages for the load: prepared once for each department, so that making one costs a few microseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.mllp import frame
from sandbox.network import Network

LINES = 3
# What stands in a prepared message where a fresh value belongs: the control id (in MSH-10 and FT1-2) and the account.
_CONTROL_ID, _ACCOUNT = b"\x01", b"\x02"


class Messages:
    """Makes unique messages: control id `<run><number>`, FT1-2 `<control id>-<line>`, accounts taken in turn."""

    def __init__(self, network: Network, run: str, accounts: int = 20_000, now: datetime | None = None) -> None:
        departments = [row for row in network["departments"] if row["wire_code"]]
        moment = now or datetime.now(UTC)
        self._prepared = [_prepare(network, department, moment) for department in departments]
        self._run = run.encode("ascii")
        self._accounts = accounts
        self.size = len(self.frame(0))

    def control_id(self, number: int) -> bytes:
        """Return the control id of the message with this number."""
        return b"%b%09d" % (self._run, number)

    def frame(self, number: int) -> bytes:
        """Return the message with this number, framed. The same number gives the same bytes."""
        account = number % self._accounts
        prepared = self._prepared[account % len(self._prepared)]  # so an account stays in its hospital
        named = prepared.replace(_CONTROL_ID, self.control_id(number))
        return named.replace(_ACCOUNT, b"%bA%06d" % (self._run, account))


def _prepare(network: Network, department: dict[str, Any], now: datetime) -> bytes:
    """Write a department's message of about 1.1 KB, with three of the charge codes that it uses."""
    known = network["charge_codes"]
    codes = [row for row in known if department["code"] in row["departments"] and row["unit_cost"]]
    stamp = now.strftime("%Y%m%d%H%M%S+0000")
    facility, wire = department["facility"], department["wire_code"]
    control_id, account = _CONTROL_ID.decode(), _ACCOUNT.decode()
    pid = f"PID|1||M{account}^^^{facility}^MR||SYNTHLOAD^PATIENT^Q||19700101|F|||1 SYNTHETIC WAY^^NOWHERE^IA^00000"
    pv1 = f"PV1|1|O|{wire}^01^A^{facility}||||9001^SYNTHDOC^ADA|||{department['hospital_service']}"
    segments = [
        f"MSH|^~\\&|CAREBILL|{facility}|THROUGHLINE|CVH|{stamp}||DFT^P03^DFT_P03|{control_id}|P|2.5.1",
        f"EVN|P03|{stamp}||01|CLERK7^SYNTHCLERK^LOAD|{stamp}",
        f"{pid}|||||M||{account}^^^{facility}^AN",
        f"{pv1}|||||||9001^SYNTHDOC^ADA|O|V{account}^^^{facility}^VN",
        *(
            _line(number, codes[number % len(codes)], department, stamp, now.strftime("%Y%m%d"))
            for number in range(1, LINES + 1)
        ),
    ]
    return frame("".join(segment + "\r" for segment in segments).encode("ascii"))


def _line(number: int, code: dict[str, Any], department: dict[str, Any], stamp: str, day: str) -> str:
    """Write one FT1: its transaction id is the control id with the line's number."""
    price = Decimal(code["price"]).quantize(Decimal("0.01"))
    cost = f"{code['unit_cost']}&USD" if code["unit_cost"] else ""
    procedure = f"{code['hcpcs']}^^HCPCS" if code["hcpcs"] else ""
    return (
        f"FT1|{number}|{_CONTROL_ID.decode()}-{number}||{stamp}|{day}|CG|{code['code']}^{code['description']}^CDM|||1"
        f"|{price}&USD|{price}&USD|{department['wire_code']}|||{department['wire_code']}^01^A^{department['facility']}"
        f"||O||9001^SYNTHDOC^ADA|9001^SYNTHDOC^ADA|{cost}|||{procedure}"
    )
