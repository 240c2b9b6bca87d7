"""What an adapter tolerated, told once however many lines it was found in."""

_SHOWN = 5


class Notes:
    """Collects remarks by their wording. Never put a value into one: notes are shown to people who run interfaces."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def add(self, remark: str, where: str = "", *, many: str = "") -> None:
        """One more place that the remark is true of. With `many`, its wording for several, the remark is counted."""
        self._found.setdefault((remark, many), []).append(where)

    def told(self) -> list[str]:
        """Each remark with its first places, e.g. `no amount: FT1[1], FT1[2]` or `1 payment line is no charge`."""
        return [_told(remark, many, places) for (remark, many), places in self._found.items()]


def _told(remark: str, many: str, places: list[str]) -> str:
    count = len(places)
    text = f"{count} {remark if count == 1 else many}" if many else remark
    named = [where for where in places if where]
    if not named:
        return text
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{text}: {', '.join(named[:_SHOWN])}{more}"
