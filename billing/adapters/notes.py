"""What an adapter tolerated, told once however many lines it was found in."""

_SHOWN = 5


class Notes:
    """Collects remarks by their wording. Never put a value into one: notes are shown to people who run interfaces."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, remark: str, where: str = "") -> None:
        """One more place that the remark is true of."""
        self._found.setdefault(remark, []).append(where)

    def told(self) -> list[str]:
        """Each remark with its first places, e.g. `no amount: FT1[1], FT1[2] and 7 more`."""
        return [remark + _places([where for where in places if where]) for remark, places in self._found.items()]


def _places(places: list[str]) -> str:
    if not places:
        return ""
    more = len(places) - _SHOWN
    return ": " + ", ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
