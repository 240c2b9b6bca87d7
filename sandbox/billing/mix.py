"""How often the feed does what: the share of each oddity among all messages."""

from __future__ import annotations

from collections.abc import Mapping

# Every kind of message beside the plain charge. What is left of 1 is plain.
DEFAULT_MIX: dict[str, float] = {
    "credit": 0.04,  # CD that names its original in FT1-31
    "resend": 0.02,  # the very bytes of an earlier message
    "repeat": 0.015,  # an earlier line again, in a new message
    "unknown_department": 0.03,  # a department that nobody has mapped
    "unknown_code": 0.006,  # a charge code that is in no charge master
    "dirt": 0.04,  # see dirt.py
    "late": 0.02,  # service in a month that is closed
}


def read_mix(text: str) -> dict[str, float]:
    """Read "credit=0.1,dirt=0" as changes to the default mix. Raises ValueError saying what is wrong."""
    changes = {}
    for part in filter(None, text.split(",")):
        name, equals, share = part.partition("=")
        if not equals or name not in DEFAULT_MIX:
            raise ValueError(f"{part!r} is not name=share; names are {', '.join(DEFAULT_MIX)}")
        changes[name] = float(share)
    return checked({**DEFAULT_MIX, **changes})


def checked(mix: Mapping[str, float]) -> dict[str, float]:
    """Return a whole mix. Raises ValueError for unknown names, and for shares outside 0 to 1 or above 1 together."""
    if unknown := mix.keys() - DEFAULT_MIX.keys():
        raise ValueError(f"there is no kind {min(unknown)!r}; names are {', '.join(DEFAULT_MIX)}")
    whole = {name: mix.get(name, 0.0) for name in DEFAULT_MIX}
    if any(not 0 <= share <= 1 for share in whole.values()) or sum(whole.values()) > 1 + 1e-9:
        raise ValueError("each share must be from 0 to 1, and all together at most 1")
    return whole
