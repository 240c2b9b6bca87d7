"""What the hub's table holds, opened as docs/operating/encryption.md tells: no product code."""

import base64
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC, NONCE, DAY_MS = b"\x00TL1", 12, 86_400_000


def opened(keys: str, message_id: UUID, stored: bytes) -> bytes | None:
    """The bytes, with the ring of the hub's environment; None where they do not open or were never sealed."""
    if not stored.startswith(MAGIC):
        return None
    start = 5 + stored[4]
    key = dict(entry.split(":", 1) for entry in keys.split(",")).get(stored[5:start].decode("ascii", "replace"), "")
    try:
        cipher = _cipher(key, (message_id.int >> 80) // DAY_MS)
        bound = stored[:start] + message_id.bytes
        return cipher.decrypt(stored[start : start + NONCE], stored[start + NONCE :], bound)
    except (InvalidTag, ValueError):
        return None


@lru_cache
def _cipher(key: str, day: int) -> AESGCM:
    info = f"throughline.messages:{day}".encode()
    return AESGCM(HKDF(hashes.SHA256(), 32, None, info).derive(base64.b64decode(key)))
