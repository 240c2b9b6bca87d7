"""Serializers that take nothing they do not know, and the fields that all resources share."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

# Longest reason that anybody has to read.
REASON_CHARS = 2000


class Choice(serializers.ChoiceField):
    """One of a model's words. `component` names the set in the OpenAPI document."""

    def __init__(self, choices: Mapping[Any, str], component: str, **kwargs: Any) -> None:
        self.component = component
        super().__init__(choices=list(choices.items()), **kwargs)


class Money(serializers.DecimalField):
    """Signed money as text with four decimals, never a float; its currency stands beside it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=19, decimal_places=4, **kwargs)


class Quantity(serializers.DecimalField):
    """A quantity as text with four decimals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=12, decimal_places=4, **kwargs)


class Body(serializers.Serializer[Any]):
    """The body of a verb. A field that the verb does not know is refused: it may be the one that mattered."""

    def to_internal_value(self, data: Any) -> Any:
        """The fields, or 400 naming the unknown ones and the known ones."""
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            known = ", ".join(self.fields) or "no field at all"
            raise serializers.ValidationError(
                {name[:60]: [f"This is not known here; known: {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


class Nothing(Body):
    """A verb that needs no words."""


class Reason(Body):
    """Why: an auditor will read it."""

    reason = serializers.CharField(max_length=REASON_CHARS)


class Text(serializers.CharField):
    """Words that may be left out: then they are empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, "default": "", **kwargs})
