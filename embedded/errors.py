"""The one error of this package: something that the person at the keyboard has to know or to do."""


class EmbeddedError(RuntimeError):
    """A server or process cannot run; the text says what, where and what to do about it."""
