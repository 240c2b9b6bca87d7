"""HTTP requests and responses as values: a request is read from bytes, a response is written to bytes."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.erp.errors import Refused

MAX_HEAD = 16 * 1024
MAX_BODY = 8 * 1024 * 1024
MAX_INFLATED = 32 * 1024 * 1024


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. Header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    length: int
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; the body is inflated already."""

    head: Head
    body: bytes

    def document(self) -> Any:
        """Return the body as JSON. Raises Refused (400) if it is none; NaN and Infinity are none."""
        try:
            return _DECODER.decode(self.body.decode())
        except (ValueError, RecursionError):
            raise Refused(400, "bad_json", "the body is not JSON in UTF-8") from None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: a status and a body that is JSON unless `content_type` says otherwise."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def wire(self, *, keep_alive: bool) -> bytes:
        """Return the response as it goes out."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not keep_alive:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + self.body


def reply(document: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, json.dumps(document, separators=(",", ":")).encode())


def reply_refused(refused: Refused) -> Response:
    """Return the response that a refusal stands for."""
    body = json.dumps(refused.body(), separators=(",", ":")).encode()
    return Response(refused.status, body, dict(refused.headers))


def read_head(raw: bytes) -> Head:
    """Read a request's head, without the empty line that ends it. Raises Refused for what this server cannot speak."""
    first, *rest = raw.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1].startswith("/"):
        raise Refused(400, "bad_request", "the request line is not METHOD /path HTTP/1.1")
    method, target, version = parts
    headers = _headers(rest)
    if "transfer-encoding" in headers:
        raise Refused(501, "not_implemented", "send the body with Content-Length, not with Transfer-Encoding")
    url = urlsplit(target)
    connection = headers.get("connection", "").lower()
    return Head(
        method=method,
        path=unquote(url.path),
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        length=_length(method, headers),
        keep_alive=connection == "keep-alive" if version == "HTTP/1.0" else connection != "close",
    )


def inflated(head: Head, body: bytes) -> bytes:
    """Return the body without its content encoding, never more than the limit of it."""
    encoding = head.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise Refused(415, "unsupported_encoding", f"Content-Encoding {encoding} is not understood; use gzip")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = inflater.decompress(body, MAX_INFLATED)
    except zlib.error:
        raise Refused(400, "bad_request", "the body is not gzip") from None
    if inflater.unconsumed_tail:
        raise Refused(413, "too_large", f"the inflated body is larger than {MAX_INFLATED} bytes")
    if not inflater.eof:
        raise Refused(400, "bad_request", "the gzip body is cut off")
    return plain


def _headers(lines: list[str]) -> dict[str, str]:
    """Read header lines. Two different lengths, or a folded line, is how requests are smuggled: refused."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refused(400, "bad_request", "a header line is not 'Name: value'")
        name = name.lower()
        if name in headers and name in ("content-length", "transfer-encoding", "authorization"):
            raise Refused(400, "bad_request", f"the header {name} is there twice")
        headers[name] = value.strip()
    return headers


def _length(method: str, headers: dict[str, str]) -> int:
    """Return the length of the body."""
    text = headers.get("content-length")
    if text is None:
        if method in ("POST", "PUT", "PATCH"):
            raise Refused(411, "length_required", "send Content-Length")
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise Refused(400, "bad_request", "Content-Length is not a number")
    if int(text) > MAX_BODY:
        raise Refused(413, "too_large", f"the body is larger than {MAX_BODY} bytes")
    return int(text)
