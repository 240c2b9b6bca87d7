"""What a fault does once it has been decided that it strikes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable

from sandbox.erp.errors import Refused
from sandbox.erp.faults import Fault
from sandbox.erp.messages import Response, reply, reply_refused
from sandbox.erp.server import Hang, Outcome, Reset


async def before(fault: Fault) -> Outcome | None:
    """Strike before the request is looked at. Returns what is answered instead, or None to carry on."""
    return await _BEFORE[fault.mode](fault)


def after_commit(fault: Fault, response: Response) -> Outcome:
    """Strike after a journal was posted: this is what the client sees of the success."""
    return _AFTER[fault.mode](fault, response)


async def _slow(fault: Fault) -> None:
    await asyncio.sleep(fault.options["delay_s"])


async def _down(_fault: Fault) -> Outcome:
    return Reset()


async def _unavailable(fault: Fault) -> Outcome:
    return _wait(fault, 503, "unavailable", "out of service on request")


async def _rate_limit(fault: Fault) -> Outcome:
    return _wait(fault, 429, "rate_limited", f"more than {fault.options['per_second']} requests per second")


async def _reject(fault: Fault) -> Outcome:
    return reply_refused(Refused(422, fault.options["code"], fault.options["message"]))


async def _garbage(fault: Fault) -> Outcome:
    """Answer 200 with something that is no answer, as a proxy or a broken application server does."""
    kind = fault.options["body"]
    if kind == "huge":
        return Response(200, b'{"id": "' + b"9" * int(fault.options["size"]) + b'"}')
    if kind == "html":
        return Response(200, b"<!doctype html><title>Sign in</title>", content_type="text/html")
    if kind == "truncated":
        return Response(200, b'{"id": "JE-20')
    return Response(200, b"ORA-00000: normal, successful completion\n", content_type="text/plain")


def _wait(fault: Fault, status: int, code: str, message: str) -> Response:
    headers = {"Retry-After": str(fault.options["retry_after"])}
    return reply_refused(Refused(status, code, message, headers=headers))


def _die(fault: Fault, _response: Response) -> Outcome:
    if fault.options["exit"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return Reset()


def _hang(fault: Fault, _response: Response) -> Outcome:
    return Hang(float(fault.options["hang_s"]))


def _without_id(_fault: Fault, response: Response) -> Outcome:
    document = json.loads(response.body)
    del document["id"]
    return reply(document, response.status)


_BEFORE: dict[str, Callable[[Fault], Awaitable[Outcome | None]]] = {
    "slow": _slow,
    "down": _down,
    "unavailable": _unavailable,
    "rate_limit": _rate_limit,
    "reject": _reject,
    "garbage": _garbage,
}
_AFTER: dict[str, Callable[[Fault, Response], Outcome]] = {
    "commit_then_die": _die,
    "commit_then_hang": _hang,
    "id_missing": _without_id,
}
