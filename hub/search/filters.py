"""Filters of keyed token hashes (Bloom filters in blocks): whoever has the table and no key learns no word from it.

A token's keyed hash chooses one block of 512 bytes and four bits in it, so that a look reads one piece of the filter.
Eleven bits for each token: about one filter in a hundred says "perhaps" for a token that it never saw.
"""

from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple

from hub import vault

VERSION = 1  # of cutting and hashing together: filters of another one are not asked
BLOCK_BYTES, BLOCK_BITS, HASHES, BITS_PER_TOKEN = 512, 4096, 4, 11
_STRIDE = BLOCK_BITS.bit_length() - 1  # bits of a hash that choose one bit of a block
_DIGEST = 14  # bytes: 48 bits for the four places, 62 of the others for the block
_BLOCKS_FROM = HASHES * _STRIDE
_POSITIVE = (1 << 62) - 1


class Place(NamedTuple):
    """Where a token stands: the block is `spread` modulo the filter's blocks, then the bits in it."""

    spread: int
    bits: tuple[int, ...]


def key(secret: bytes) -> bytes:
    """The search key that belongs to a key of the ring."""
    return vault.derive(secret, "search")


def place(token: str, search_key: bytes) -> Place:
    """Where a filter that was made with this key has the token."""
    number = int.from_bytes(blake2b(token.encode(), key=search_key, digest_size=_DIGEST).digest())
    bits = tuple(number >> _STRIDE * turn & BLOCK_BITS - 1 for turn in range(HASHES))
    return Place(number >> _BLOCKS_FROM & _POSITIVE, bits)


def make(tokens: Collection[str], search_key: bytes) -> tuple[bytes, int]:
    """A filter of these tokens, and its number of blocks."""
    blocks = max(1, -(-len(tokens) * BITS_PER_TOKEN // BLOCK_BITS))
    made = bytearray(blocks * BLOCK_BYTES)
    for token in tokens:  # as `place`, written out: a segment has tens of thousands
        number = int.from_bytes(blake2b(token.encode(), key=search_key, digest_size=_DIGEST).digest())
        base = (number >> 48 & _POSITIVE) % blocks * BLOCK_BYTES
        made[base + (number >> 3 & 511)] |= 1 << (number & 7)
        made[base + (number >> 15 & 511)] |= 1 << (number >> 12 & 7)
        made[base + (number >> 27 & 511)] |= 1 << (number >> 24 & 7)
        made[base + (number >> 39 & 511)] |= 1 << (number >> 36 & 7)
    return bytes(made), blocks


def has(made: bytes, blocks: int, where: Place) -> bool:
    """Whether a filter may have the token. The database asks the same by SQL (`hub.search.walk`)."""
    base = where.spread % blocks * BLOCK_BYTES
    return all(made[base + (bit >> 3)] >> (bit & 7) & 1 for bit in where.bits)


def told(token: str) -> str:
    """A token as an audit entry may have it: the same word gives the same text, and nobody reads it back."""
    return blake2b(token.encode(), key=vault.derive(vault.first()[1], "audit"), digest_size=8).hexdigest()
