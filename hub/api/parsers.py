"""Bodies: one JSON object, strictly. What two programs could read in two ways is refused before any of it is used."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from hub.api import problems

# No verb needs more than a few hundred bytes; documents come in through their own doors, which take 25 MB.
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 16


class StrictJson(BaseParser):
    """UTF-8 JSON without duplicate names, NaN, NUL, lone surrogates, deep nesting or more than a megabyte."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The body as a dict; raises `Problem` (400, 413, 415) that says what is wrong."""
        request = (parser_context or {}).get("request")
        headers = request.META if request is not None else {}
        if headers.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
            raise problems.Problem(problems.NOT_JSON, "Send the body as it is, without Content-Encoding.")
        if int(headers.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            raise _too_large()
        data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _too_large()
        body = loads(data)
        if not isinstance(body, dict):
            raise _bad("The body has to be a JSON object.")
        return body


def loads(data: bytes) -> Any:
    """Strict JSON; the texts of the errors quote nothing of what was sent."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except UnicodeDecodeError:
        raise _bad("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise _bad(f"The body is not JSON: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _bad(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:  # a number of more digits than Python is willing to read
        raise _bad("The body holds a number that is too long.") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _bad("The body names a field twice.")
    return made


def _constant(name: str) -> Any:
    raise _bad(f"The body holds {name}, which is not JSON.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _bad("The body holds a number that is too large.")
    return number


def _check(value: Any) -> None:
    """Depth and text, level by level: no recursion, so that no body can exhaust it."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _bad(f"The body is nested deeper than {MAX_DEPTH} levels.")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [*item, *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                _check_text(item)
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _bad("The body holds a NUL character, which no field can keep.")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise _bad("The body holds half of a surrogate pair, which is not a character.")


def _bad(text: str) -> problems.Problem:
    return problems.Problem(problems.INVALID, text)


def _too_large() -> problems.Problem:
    return problems.Problem(problems.TOO_LARGE, f"A body has at most {MAX_BYTES} bytes.")
