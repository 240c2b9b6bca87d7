"""Pages: the newest first, by id, without counting. A page's cost does not depend on how deep it lies."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

MAX_PAGE = 200


class NewestFirst(CursorPagination):
    """`?cursor=` from the links of the page before; `?page_size=` up to 200."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE
    cursor_query_description = "Where the page begins: taken from `next` or `previous` of another page."
    page_size_query_description = f"Rows per page, 1 to {MAX_PAGE}."
    parameters = ("cursor", "page_size")

    def paginate_queryset(self, queryset: QuerySet[Any], request: Request, view: Any = None) -> list[Any] | None:
        """One page and one row more, which tells whether there is a next page."""
        self.model = queryset.model
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int | None:
        """A size that is not a number from 1 to 200 is refused, not guessed at."""
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
            raise ValidationError({"page_size": [f"Use a whole number from 1 to {MAX_PAGE}."]})
        return int(text)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """A cursor that we did not make is the caller's mistake."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self.model._meta.pk.to_python(cursor.position)
        except (NotFound, DjangoValidationError, ValueError) as error:
            raise ValidationError({"cursor": ["This cursor is not one of ours; begin again without it."]}) from error
        return cursor
