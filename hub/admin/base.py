"""What every page of the admin shares: lists that never count, pages made of panels, verbs, history, facility scope."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from hub import audit, histories
from hub.admin import verbs as verbs_
from hub.admin.columns import Column, Filter
from hub.admin.listing import Listing
from hub.viewer import Viewer, viewer


@dataclass(slots=True)
class Block:
    """One panel of an object's page: a template and what it shows."""

    title: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    aside: str = ""


Extension = Callable[[Any, Viewer], list[Block]]
extensions: dict[str, list[Extension]] = {}


def extend(label: str, extension: Extension) -> None:
    """Add panels to another app's page ("billing.charge"): the arrows forbid that app to ask for them."""
    extensions.setdefault(label, []).append(extension)


class ThroughlineAdmin(admin.ModelAdmin):
    """A list of our own making, verbs by POST, one history. Nothing is deleted and nothing is done to many at once."""

    columns: ClassVar[Sequence[Column]] = ()
    filters: ClassVar[Sequence[Filter]] = ()
    verbs: ClassVar[tuple[verbs_.Verb, ...]] = ()
    facility_field: ClassVar[str] = ""  # path to our facility code; "" where rows belong to no facility
    keyset: ClassVar[bool] = False  # ordered by a time-ordered id: newest first, a window of time, no offset
    order: ClassVar[tuple[Any, ...]] = ("pk",)
    search_hint: ClassVar[str] = ""  # what the search box takes; "" for no search box
    teaches: ClassVar[tuple[str, str]] = ("Nothing here yet.", "")  # empty state: what it means, what to do
    intro: ClassVar[str] = ""
    actions = None
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Only rows of the viewer's facilities."""
        queryset = super().get_queryset(request)
        return viewer(request).scope(queryset, self.facility_field) if self.facility_field else queryset

    def listed(self, queryset: models.QuerySet[Any], who: Viewer) -> models.QuerySet[Any]:
        """The queryset of the list: what to join, annotate and leave out."""
        return queryset

    def search(self, queryset: models.QuerySet[Any], term: str) -> tuple[models.QuerySet[Any], bool]:
        """Rows for a search term, and whether an index finds them however old they are."""
        return queryset.none(), True

    def search_for(self, queryset: models.QuerySet[Any], term: str, who: Viewer) -> tuple[models.QuerySet[Any], bool]:
        """The same, where it matters who looks."""
        return self.search(queryset, term)

    def tools(self, listing: Listing, who: Viewer) -> list[tuple[str, str]]:
        """Label and address of what can be done with all that the list shows."""
        return []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: rows are deactivated, retired or waived, and stay."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The verbs' door, before Django's own patterns."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_verb"
        door = self.admin_site.admin_view(self.verb_view)
        return [path("<path:object_id>/do/<slug:verb>/", door, name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list. There is nothing to post here: no mass actions, no editing in rows."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        listing = Listing(self, request, viewer(request))
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "subtitle": self.intro,
            "listing": listing,
            "tools": self.tools(listing, viewer(request)),
            "can_add": self.has_add_permission(request),
            "add_url": self._url("add") if self.has_add_permission(request) else "",
            "opts": self.opts,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/change_list.html", context)

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """A button's POST."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.find(request, object_id)
        known = {candidate.name: candidate for candidate in self.verbs_of(row)}
        if verb not in known:
            raise Http404(f"there is no verb {verb} here")
        back, onward = self._url("change", row.pk), self.onward(row, verb)
        return verbs_.press(request, known[verb], row, viewer(request).actor, back, onward)

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """The row, if this person may see it: 404 for another facility's, 403 without the permission."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"{self.opts.verbose_name} {object_id} is not here, or not of your facilities")
        return row

    def verbs_of(self, row: Any) -> tuple[verbs_.Verb, ...]:
        """The verbs that this kind of row knows."""
        return self.verbs

    def onward(self, row: Any, verb: str) -> str:
        """Where a verb leads that did something; asked before it runs."""
        return self._url("change", row.pk)

    def buttons(self, row: Any, who: Viewer) -> list[verbs_.Button]:
        """The verbs of a row as this person's buttons."""

        def door(verb: verbs_.Verb) -> str:
            return self._url("verb", row.pk, verb.name)

        return verbs_.buttons(self.verbs_of(row), row, who.actor, door)

    def blocks(self, row: Any, who: Viewer) -> list[Block]:
        """The panels of a row's page, after its facts."""
        return []

    def more_blocks(self, row: Any, who: Viewer) -> list[Block]:
        """What other apps add to the page."""
        return [block for extension in extensions.get(self.opts.label_lower, []) for block in extension(row, who)]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history is part of the page."""
        return HttpResponseRedirect(self._url("change", self.find(request, object_id).pk) + "#history")

    def _url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)


class EvidenceAdmin(ThroughlineAdmin):
    """Rows that only verbs change: nobody adds, edits or deletes them here, superusers included."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come from the pipeline and from verbs."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no form for evidence."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The view permission alone: Django would let "change" stand for it."""
        return viewer(request).may(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def heading(self, row: Any) -> str:
        """What the page is called."""
        return str(row)

    def under(self, row: Any) -> str:
        """One sentence under the heading."""
        return ""

    def facts(self, row: Any, who: Viewer) -> list[tuple[str, Any]]:
        """Label and value of what the header shows."""
        return []

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one row."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self.page(request, self.find(request, object_id), extra_context)

    def page(self, request: HttpRequest, row: Any, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page of one row, for a GET and for a verb that answers in place."""
        who = viewer(request)
        context = {
            **self.admin_site.each_context(request),
            "title": self.heading(row),
            "subtitle": self.under(row),
            "row": row,
            "status": getattr(row, "status", ""),
            "status_label": dict(getattr(type(row), "STATUSES", {})).get(getattr(row, "status", ""), ""),
            "facts": self.facts(row, who),
            "blocks": [*self.more_blocks(row, who), *self.blocks(row, who)],
            "buttons": self.buttons(row, who),
            "history": histories.of(row),
            "list_url": self._url("changelist"),
            "list_name": capfirst(str(self.opts.verbose_name_plural)),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.change_form_template or "admin/object.html", context)


class EditableAdmin(ThroughlineAdmin):
    """Rows that staff set up: Django's form in our theme, with verbs and history beside it."""

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], add: bool = False, change: bool = False,
        form_url: str = "", obj: Any = None,
    ) -> HttpResponse:  # fmt: skip
        """Django's form page, with what our template adds."""
        who = viewer(request)
        context |= {
            "title": f"New {self.opts.verbose_name}" if obj is None else str(obj),
            "subtitle": self.under(obj) if obj is not None else "",
            "state": self.state(obj) if obj is not None else "",
            "list_url": self._url("changelist"),
            "list_name": capfirst(str(self.opts.verbose_name_plural)),
            "buttons": self.buttons(obj, who) if obj is not None else [],
            "blocks": self.blocks(obj, who) if obj is not None else [],
            "history": histories.of(obj) if obj is not None else [],
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def under(self, row: Any) -> str:
        """One sentence under the heading, where something has to be known first."""
        return ""

    def state(self, row: Any) -> Any:
        """A pill beside the heading, where the row has a state."""
        return ""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Our audit entry instead of Django's log."""
        audit.record("admin.create", by=viewer(request).actor, subject=obj)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Our audit entry instead of Django's log; only the names of the fields, the history has their values."""
        told = [part for part in message if isinstance(part, dict)] if isinstance(message, list) else []
        if told:
            audit.record("admin.change", by=viewer(request).actor, subject=obj, detail={"changed": told})
