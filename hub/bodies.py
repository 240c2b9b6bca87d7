"""Messages' bytes at rest: sealed with AES-256-GCM where a row is written, opened where somebody has to read them.

What `hub_message.raw` holds reads `MAGIC | length of the key id | key id | nonce (12) | ciphertext and tag`. The head
and the message's id are bound to it: bytes that were moved to another row do not open. The key is derived from the
ring's for the day of the id, so that no key ever seals more than a random nonce of 96 bits allows (NIST SP 800-38D:
2^32 messages). Rows from before sealing hold plain bytes and are read as they are: no document begins with MAGIC.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub import vault
from hub.models import Message
from hub.vault import VaultError

MAGIC = b"\x00TL1"
NONCE = vault.NONCE_BYTES
TAG_BYTES = 16
DAY_MS = 86_400_000


def seal(bodies: Sequence[tuple[UUID, bytes]]) -> list[bytes]:
    """What is stored for each (message id, bytes), under the first key of the ring. About 3 microseconds each."""
    key_id, key = vault.first()
    head = head_of(key_id)
    nonces = os.urandom(NONCE * len(bodies))  # one call for a batch: it costs as much as a seal
    sealed = []
    for start, (id_, raw) in zip(range(0, len(nonces), NONCE), bodies, strict=True):
        nonce = nonces[start : start + NONCE]
        sealed.append(b"".join((head, nonce, _cipher(key, _day(id_)).encrypt(nonce, raw, head + id_.bytes))))
    return sealed


def open_(message_id: UUID, stored: bytes) -> bytes:
    """The bytes as they arrived. Raises `VaultError`: VAULT_KEY (its key is not in the ring), VAULT_BROKEN."""
    if not stored.startswith(MAGIC):
        return stored
    key_id, start = _key_id(stored)
    key = vault.keyring().get(key_id)
    if key is None:
        raise VaultError(
            "VAULT_KEY",
            f"This message is sealed with the key {key_id!r}, which is not in THROUGHLINE_VAULT_KEYS. Put that key "
            "back behind the first one and restart.",
        )
    body, nonce = stored[start + NONCE :], stored[start : start + NONCE]
    try:
        return _cipher(key, _day(message_id)).decrypt(nonce, body, stored[:start] + message_id.bytes)
    except (InvalidTag, ValueError):
        raise VaultError(
            "VAULT_BROKEN",
            f"The stored bytes do not open with the key {key_id!r}: they were changed, belong to another message, or "
            "another key carries that name. Restore the row from a backup, or have its sender send it again.",
        ) from None


def of(message: Message) -> bytes:
    """The bytes of a message as they arrived. Raises as `open_` does."""
    return open_(message.pk, bytes(message.raw))


def head_of(key_id: str) -> bytes:
    """What everything begins with that this key sealed."""
    return MAGIC + bytes([len(key_id)]) + key_id.encode("ascii")


def key_of(stored: bytes) -> str:
    """The id of the key that sealed it; "" for plain bytes."""
    return _key_id(stored)[0] if stored.startswith(MAGIC) else ""


def _key_id(stored: bytes) -> tuple[str, int]:
    """The key's id, and where the nonce begins."""
    start = len(MAGIC) + 1
    end = start + stored[len(MAGIC)] if len(stored) > len(MAGIC) else start
    if len(stored) < end + NONCE + TAG_BYTES:
        raise VaultError("VAULT_BROKEN", "The stored bytes were cut short. Restore the row from a backup.")
    return stored[start:end].decode("ascii", "replace"), end


def _day(message_id: UUID) -> int:
    return (message_id.int >> 80) // DAY_MS


@lru_cache(maxsize=1024)
def _cipher(key: bytes, day: int) -> AESGCM:
    return AESGCM(vault.derive(key, f"messages:{day}"))
