"""What the storm's senders send: charges, credits, duplicates, unknown codes and dirt as the billing feed makes them,
and one message in a hundred that is poison."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sandbox.billing.messages import Generator, Made
from sandbox.billing.mix import DEFAULT_MIX
from sandbox.network import read_network

POISON = 0.01


def _garbage(raw: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(1, 400)).translate(None, b"\x0b\x1c\r") or b"?"


def _half(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw) // 3, len(raw))]


def _nul(raw: bytes, chance: random.Random) -> bytes:
    # Behind the first letter: in front of a segment's name a NUL is padding, and the charge is read.
    place = chance.randrange(raw.index(b"FT1") + 1, len(raw))
    return raw[:place] + b"\x00" + raw[place:]


def _field(number: int, text: bytes) -> Callable[[bytes, random.Random], bytes]:
    """Poison that is one wrong field in the first FT1."""

    def spoil(raw: bytes, chance: random.Random) -> bytes:
        start = raw.index(b"FT1")
        end = min(place for place in (raw.find(b"\r", start), raw.find(b"\n", start), len(raw)) if place > 0)
        fields = raw[start:end].split(b"|")
        fields[number] = text
        return raw[:start] + b"|".join(fields) + raw[end:]

    return spoil


def _training(raw: bytes, chance: random.Random) -> bytes:
    return raw.replace(b"|P|2.", b"|T|2.", 1)


POISONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "garbage": _garbage,
    "half": _half,
    "nul": _nul,
    "no_day": _field(4, b"someday"),
    "no_type": _field(6, b"??"),
    "no_number": _field(10, b"1e999"),
    "training": _training,
}


def messages(seed: int, count: int, *, now: datetime | None = None) -> list[Made]:
    """So many messages, the same for the same seed and moment. Poison keeps its control id, and is of kind "poison:x";
    "poison:conflict" is other bytes under the control id of an earlier message."""
    chance = random.Random(f"poison {seed}")
    moment = now or datetime.now(UTC)
    # Late service and unknown departments are held for ever here, since nobody heals them: a storm has few of them.
    mix = {**DEFAULT_MIX, "unknown_department": 0.02, "late": 0.01, "resend": 0.03, "credit": 0.05, "repeat": 0.02}
    generator = Generator(seed, read_network(), clock=lambda: moment, mix=mix)
    made: list[Made] = []
    for _ in range(count):
        one = generator.make()
        if chance.random() < POISON and one.kind != "resend":
            one = _poisoned(one, made, chance)
        made.append(one)
    return made


def _poisoned(one: Made, before: list[Made], chance: random.Random) -> Made:
    clean = [made for made in before[-200:] if made.kind == "plain" and made.facility == one.facility]
    if clean and chance.random() < 0.15:
        earlier = chance.choice(clean)
        raw = one.raw.replace(one.control_id.encode(), earlier.control_id.encode(), 1)
        return replace(one, raw=raw, control_id=earlier.control_id, account=earlier.account, kind="poison:conflict")
    name = chance.choice(list(POISONS))
    return replace(one, raw=POISONS[name](one.raw, chance), kind=f"poison:{name}")
