"""Signatures of webhooks as Standard Webhooks defines them: HMAC-SHA256 over id, time and body. Values in, values out.

Source: Standard Webhooks, `spec/standard-webhooks.md` (symmetric signatures, version v1).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret


def key(secret: str) -> bytes:
    """The bytes of a secret written `whsec_<base64>`. `ValueError` says in words what is wrong; it never repeats it."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    if not SHORTEST <= len(found) <= LONGEST:
        raise ValueError(f"it holds {len(found)} bytes, not {SHORTEST} to {LONGEST}")
    return found


def sign(secrets: Sequence[str], call_id: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each secret, so that a new one can be brought in gently.

    `at` is the moment of this try in seconds since 1970, as `webhook-timestamp` says it.
    """
    said = b".".join((call_id.encode(), str(at).encode(), body))
    return " ".join(
        "v1," + base64.b64encode(hmac.new(key(secret), said, hashlib.sha256).digest()).decode() for secret in secrets
    )
