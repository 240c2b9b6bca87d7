"""What a resource is: rows of the caller's facilities, the newest first, and verbs that are POST actions.

A resource declares `resource` (the first word of its scopes), `needs` (which permissions each action asks for) and its
verbs. Everything else of a request's way (authentication, permission, scope, Idempotency-Key, problems) is here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub import access
from hub.access import Actor
from hub.api import fields, filters, idempotency, parsers, permissions
from hub.api.schema import Schema

UUID_REGEX = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
NUMBER_REGEX = "[0-9]{1,18}"
Verb = Callable[..., Any]


class Base(viewsets.GenericViewSet):
    """The way of every request. `queries` names the query parameters of actions that are not lists."""

    resource: ClassVar[str]
    noun: ClassVar[str]  # "a case"
    needs: ClassVar[Mapping[str, tuple[str, ...]]]
    looks: ClassVar[frozenset[str]] = frozenset()  # actions besides list and retrieve that only read
    queries: ClassVar[Mapping[str, Sequence[OpenApiParameter]]] = {}
    parser_classes = (parsers.StrictJson,)
    schema = Schema()
    metadata_class = None  # OPTIONS would tell what the OpenAPI document tells better
    action: str

    @property
    def by(self) -> Actor:
        """Who acts."""
        return permissions.actor(self.request)

    @classmethod
    def scope_of(cls, action_: str) -> str:
        """The scope that a key needs for an action."""
        return f"{cls.resource}.{permissions.scope_verb(cls, action_)}"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After authentication and permission, before anything is read: no parameter that nobody knows."""
        super().initial(request, *args, **kwargs)
        filters.refuse_unknown(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        """The query parameters of the current action."""
        known = {given.name for given in self.queries.get(self.action, ()) if given.location == given.QUERY}
        if self.action == "list" and self.paginator is not None:
            known |= set(self.paginator.parameters)  # type: ignore[attr-defined]
            known |= set(self.filterset_class.base_filters) if hasattr(self, "filterset_class") else set()
        return known


class Resource(mixins.ListModelMixin, mixins.RetrieveModelMixin, Base):
    """Rows that may be listed and looked at. `facility_field` is the path to our facility code."""

    facility_field: ClassVar[str] = "facility"
    lookup_value_regex = UUID_REGEX
    rows: ClassVar[QuerySet[Any]]

    def get_queryset(self) -> QuerySet[Any]:
        """Only what the caller may see; what belongs to another facility does not exist for them."""
        if getattr(self, "swagger_fake_view", False):  # the OpenAPI generator has no caller
            return self.rows.none()
        return self.visible(self.rows.all())

    def visible(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the caller's facilities."""
        return access.scope(queryset, self.by, self.facility_field)


def look(function: Verb) -> Verb:
    """A GET below one row, besides the row itself."""
    return action(detail=True, methods=["get"])(function)


def survey(function: Verb) -> Verb:
    """A GET below the collection."""
    return action(detail=False, methods=["get"], pagination_class=None)(function)


def verb(*, body: type[fields.Body] = fields.Nothing) -> Callable[[Verb], Verb]:
    """A POST below one row, named like its flow: `name(self, row, **fields)` does the deed; the answer is the row."""

    def decorate(function: Verb) -> Verb:
        def handler(self: Any, request: Request, **_: Any) -> HttpResponse:
            row: Model = self.get_object()  # before anything is looked up under the key: 404 for another facility's

            def effect() -> Response:
                function(self, row, **checked(self, body, request))
                return Response(self.get_serializer(self.get_object()).data)

            return idempotency.once(request, effect)

        return _documented(function, handler, detail=True, request=None if body is fields.Nothing else body)

    return decorate


def maker(*, body: type[fields.Body], answer: Any) -> Callable[[Verb], Verb]:
    """A POST on the collection that makes a row: `name(self, **fields)` returns it; the answer is 201 and the row."""

    def decorate(function: Verb) -> Verb:
        def handler(self: Any, request: Request, **_: Any) -> HttpResponse:
            def effect() -> Response:
                self.kwargs["pk"] = function(self, **checked(self, body, request)).pk
                where = self.reverse_action("detail", args=[self.kwargs["pk"]], request=None)
                return Response(self.get_serializer(self.get_object()).data, status=201, headers={"Location": where})

            return idempotency.once(request, effect)

        return _documented(function, handler, detail=False, request=body, responses={201: answer})

    return decorate


def _documented(function: Verb, handler: Verb, *, detail: bool, **told: Any) -> Verb:
    handler.__name__ = function.__name__
    handler.__doc__ = function.__doc__
    made: Verb = extend_schema(**told)(action(detail=detail, methods=["post"])(handler))
    return made


def checked(view: Any, body: type[fields.Body], request: Request) -> dict[str, Any]:
    """The body's fields, or 400."""
    serializer = body(data=request.data, context=view.get_serializer_context())
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def asked(query: type[fields.Body], request: Request) -> dict[str, Any]:
    """The query parameters of an action that is not a list, or 400."""
    serializer = query(data=request.query_params.dict())
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def parameters(query: type[fields.Body]) -> tuple[OpenApiParameter, ...]:
    """The same parameters for the OpenAPI document."""
    return tuple(
        OpenApiParameter(
            name,
            date if isinstance(field, serializers.DateField) else str,
            description=str(field.help_text or ""),
            required=field.required,
            enum=list(field.choices) if isinstance(field, fields.Choice) else None,
        )
        for name, field in query().fields.items()
    )
