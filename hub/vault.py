"""The keyring of the environment (THROUGHLINE_VAULT_KEYS), and partners' secrets sealed with AES-256-GCM under it.

A sealed secret reads `v1.<key id>.<nonce and ciphertext>`; the key id is bound to the ciphertext. Messages' bytes are
sealed with keys that are derived from the same ring (`hub.bodies`). The first key of the ring seals, all of them open,
so that a new key is put in front, `manage.py rotate_vault` seals everything anew, and the old key is taken away.
"""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hub.errors import Permanent

VERSION = "v1"
NONCE_BYTES = 12
KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class VaultError(Permanent):
    """A secret or a message's bytes cannot be opened with the keys that are there."""


def seal(text: str) -> str:
    """Seal a secret with the first key of the ring. Sealing the same text twice gives two different results."""
    key_id, key = first()
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, text.encode(), _bound(key_id))
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(sealed).decode()}"


def open_(sealed: str) -> str:
    """The secret. Raises `VaultError`: VAULT_FORMAT, VAULT_KEY (its key is not in the ring), VAULT_BROKEN."""
    key_id, box = _split(sealed)
    key = keyring().get(key_id)
    if key is None:
        raise VaultError(
            "VAULT_KEY",
            f"This secret is sealed with the key {key_id!r}, which is not in THROUGHLINE_VAULT_KEYS. Put that key back "
            "behind the first one, or enter the secret again.",
        )
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(key_id)).decode()
    except InvalidTag:
        raise VaultError(
            "VAULT_BROKEN",
            f"This secret does not open with the key {key_id!r}: it was changed, or another key carries that name. "
            "Enter the secret again.",
        ) from None


def stale(sealed: str) -> bool:
    """Whether it is sealed with another key than the first one of the ring."""
    return _split(sealed)[0] != first()[0]


def _split(sealed: str) -> tuple[str, bytes]:
    version, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    try:
        box = base64.b64decode(body, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        box = b""
    if version != VERSION or len(box) <= NONCE_BYTES:
        raise VaultError("VAULT_FORMAT", "This is not a sealed secret. Enter the secret again, so that it is sealed.")
    return key_id, box


def _bound(key_id: str) -> bytes:
    return f"throughline.vault:{VERSION}:{key_id}".encode()


def keyring() -> dict[str, bytes]:
    """Keys by id, in the order of the setting: the first one seals. Raises `ImproperlyConfigured`."""
    return _read(tuple(settings.VAULT_KEYS))


def first() -> tuple[str, bytes]:
    """Id and key of the one that seals."""
    return next(iter(keyring().items()))


@lru_cache(maxsize=1024)
def derive(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA-256, RFC 5869): what one purpose gives away helps no other."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"throughline.{purpose}".encode()).derive(key)


@lru_cache(maxsize=8)
def _read(entries: Sequence[str]) -> dict[str, bytes]:
    ring: dict[str, bytes] = {}
    for number, entry in enumerate(entries, start=1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        # The entry itself is never repeated here: it holds a key.
        if not _ID.fullmatch(key_id) or len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"Entry {number} of THROUGHLINE_VAULT_KEYS is not of the form id:base64 with {KEY_BYTES} bytes. "
                "Make a key with: openssl rand -base64 32"
            )
        if key_id in ring:
            raise ImproperlyConfigured(f"THROUGHLINE_VAULT_KEYS has two keys called {key_id!r}.")
        ring[key_id] = key
    if not ring:
        raise ImproperlyConfigured(
            "THROUGHLINE_VAULT_KEYS is empty, and messages and partners' secrets have to be sealed. See .env.example."
        )
    return ring
