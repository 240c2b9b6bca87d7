"""What the stand-in ERP says when it does not do as asked."""

from __future__ import annotations


class Refused(Exception):
    """A request that is answered with an error: an HTTP status, a stable code, and a sentence for a person."""

    def __init__(
        self, status: int, code: str, message: str, *, line: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.line = line
        self.headers = headers or {}

    def body(self) -> dict[str, dict[str, str | int]]:
        """Return the error object of the protocol."""
        error: dict[str, str | int] = {"code": self.code, "message": self.message}
        if self.line is not None:
            error["line"] = self.line
        return {"error": error}
