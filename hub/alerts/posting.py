"""One HTTP POST to a receiver of webhooks: to an address that was checked, without redirects, bounded in every way."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from hub.errors import HubError
from hub.transports import http

CONNECT_S, ANSWER_S = 5.0, 15.0
# Whoever sends its answer byte by byte is cut off then.
TOTAL_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: the HTTP status, or none, and a sentence."""

    status: int | None
    text: str
    retry_after_s: float | None = None


def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send it once. Never raises for what the other side does; the answer's body is not read: its status says all."""
    plain = not url.lower().startswith("https:")
    client = httpx2.Client(
        transport=http.guarded(plain=plain), follow_redirects=False, trust_env=False,
        timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
    )  # fmt: skip
    patience = threading.Timer(TOTAL_S, client.close)
    patience.daemon = True
    patience.start()
    try:
        with client, client.stream("POST", url, content=body, headers=headers) as response:
            status, after = response.status_code, response.headers.get("retry-after", "")
    except HubError as error:  # the address is not let through, or the name has none
        return Answer(None, error.text)
    except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError, OSError, ValueError) as error:
        # RuntimeError, OSError: the client was closed under the call, because it took too long.
        return Answer(None, f"no answer: {type(error).__name__}")
    finally:
        patience.cancel()
    return Answer(status, _told(status), float(after) if after.isascii() and after.isdigit() else None)


def _told(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}: redirects are not followed, write the address that it leads to"
    return f"it answered {status}"
