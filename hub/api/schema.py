"""What the OpenAPI document says of every operation without each view saying it again."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_basic_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from hub.api import idempotency, problems

# What any operation may answer besides its success; the rest depends on what it is.
ALWAYS = (400, 401, 403, 406, 500, 503)
ON_OBJECT = (404,)
ON_VERB = (409, 413, 415, 422)
TOLD = {  # for REST framework's own actions, which have no docstrings
    "list": "List {resource} of your facilities, the newest first.",
    "retrieve": "Show {noun}.",
}
KEY = OpenApiParameter(
    idempotency.HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="One value per request, e.g. a UUID; the same one when the request is sent again. "
    f"The answer is kept for {idempotency.KEEP_DAYS} days.",
)


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field or parameter."""

    field = serializers.CharField()
    text = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="A URN of the table of problems in the documentation.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, and what to do.")
    code = serializers.CharField(help_text="Stable, for programs.")
    instance = serializers.CharField(help_text="Names this one occurrence; the logs know it.")
    where = serializers.CharField(required=False, help_text="Where in a document.")
    errors = FieldProblem(many=True, required=False)


class Schema(AutoSchema):
    """Ids, summaries, error answers and the Idempotency-Key header."""

    view: Any  # one of ours: `hub.api.resources.Base`

    def get_operation_id(self) -> str:
        """`cases_waive`: the resource and the verb, as in a key's scopes."""
        return f"{self.view.resource}_{self.view.action}"

    def get_summary(self) -> str:
        """The first line of the action's docstring."""
        return self._doc().partition("\n")[0]

    def get_description(self) -> str:
        """The rest of it, and which permissions and scope it needs."""
        rest = self._doc().partition("\n")[2].strip()
        permissions = ", ".join(f"`{name}`" for name in self.view.needs[self.view.action])
        scope = self.view.scope_of(self.view.action)
        return f"{rest}\n\nNeeds {permissions}; a key needs the scope `{scope}`.".strip()

    def get_tags(self) -> list[str]:
        """One group per resource."""
        return [self.view.resource]

    def get_override_parameters(self) -> list[Any]:
        """Every mutating call carries its key; actions may declare query parameters of their own."""
        own = list(self.view.queries.get(self.view.action, ()))
        return [*own, KEY] if self.method == "POST" else own

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        on_object = ON_OBJECT if "{" in self.path else ()
        on_verb = ON_VERB if self.method == "POST" else ()
        for status in sorted({*ALWAYS, *on_object, *on_verb}):
            titles = [kind.title for kind in problems.KINDS if kind.status == status]
            answer = OpenApiResponse(Problem, description=". Or: ".join(titles))
            bodies[str(status)] = self._get_response_for_code(answer, str(status), [problems.MEDIA_TYPE], direction)
        return bodies

    def _doc(self) -> str:
        doc = getattr(self.view, self.view.action).__doc__ or TOLD[self.view.action]
        told = doc.format(resource=self.view.resource, noun=self.view.noun)
        return "\n".join(line.strip() for line in told.strip().splitlines())


class KeyScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer tl_...` in the document."""

    target_class = "hub.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "description": "A key made by `manage.py apikey issue`."}


class ChoiceComponent(OpenApiSerializerFieldExtension):
    """One named component for each set of choices, however many resources show it."""

    target_class = "hub.api.fields.Choice"

    def get_name(self) -> str:
        """`ChargeStatus`."""
        name: str = self.target.component
        return name

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """The values, and what staff call them."""
        told = "\n".join(f"* `{value}`: {label}" for value, label in self.target.choices.items())
        schema = build_basic_type(OpenApiTypes.STR) or {}
        return {**schema, "enum": list(self.target.choices), "description": told}
