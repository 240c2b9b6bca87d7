"""Every error the hub raises on purpose, sorted by what happens next.

    HubError
    ├── Transient            wait and try again: back-off, then a case
    │   └── Throttled        the partner named the time to wait
    ├── OutcomeUnknown       it was sent and nobody knows: look it up before sending again
    ├── Permanent            a person must act: a case says where, why, what it is worth and what to press
    │   ├── ParseError       the bytes are not what the endpoint's format promises
    │   ├── Rejected         the partner looked at it and said no
    │   └── Refused          a verb was asked for something that its rules forbid (the API answers 409)
    └── NotAllowed           this person may not do this (the API answers 403)

Anything else that is raised is a bug: one outer door catches it, records it and opens a case for the integration
engineer. Codes are those of the exception registry (docs/exceptions.md); texts never carry patient data.
"""


class HubError(Exception):
    """The root. `code` is a stable registry code, `text` says what to do, `where` points into the document."""

    def __init__(self, code: str, text: str, *, where: str = "") -> None:
        super().__init__(f"{code}: {text}" + (f" (at {where})" if where else ""))
        self.code = code
        self.text = text
        self.where = where


class Transient(HubError):
    """Nothing is wrong with the document; the other side, or the road to it, is not there now."""


class Throttled(Transient):
    """The partner asked us to slow down; `retry_after_s` is its own figure in seconds."""

    def __init__(self, code: str, text: str, *, retry_after_s: float, where: str = "") -> None:
        super().__init__(code, text, where=where)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(HubError):
    """The request left and no answer came back: it may or may not have been done."""


class Permanent(HubError):
    """Trying again changes nothing until a person, a mapping or a correction does."""


class ParseError(Permanent):
    """The bytes cannot be read; `where` names the segment or byte offset."""


class Rejected(Permanent):
    """The partner's own refusal, with its code and text."""


class Refused(Permanent):
    """A rule of ours forbids this move now: wrong state, own request, closed period."""


class NotAllowed(HubError):
    """The acting user lacks the permission or the facility."""
