"""One list page: filters and search applied, a page of rows fetched by key, chips and links worked out."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hub import ids, paging
from hub.admin.columns import SPANS, WINDOWS, cell
from hub.viewer import Viewer

SEARCH_MAX = 200


class Listing:
    """What the list template shows. `owner` is the ModelAdmin whose tables of columns and filters are read."""

    def __init__(self, owner: Any, request: HttpRequest, who: Viewer) -> None:
        self.owner = owner
        self.who = who
        self.columns = owner.columns
        self.asked = {name: str(value) for name, value in request.GET.items() if value}
        self.term = self.asked.get("q", "").replace("\x00", "").strip()[:SEARCH_MAX]
        self.search_hint = owner.search_hint
        self.teaches = owner.teaches
        self.chosen = {filter_.param: self._chosen(filter_) for filter_ in owner.filters}
        queryset = owner.listed(owner.get_queryset(request), who)
        found = owner.search_for(queryset, self.term, who) if self.term else (queryset, False)
        queryset, found_by_index = found
        for filter_ in owner.filters:
            if self.chosen[filter_.param]:
                queryset = filter_.apply(queryset, self.chosen[filter_.param])
        # Where an index finds the rows, no window of time is needed; a filter that scans never gets "all time".
        served = found_by_index or any(self.chosen[f.param] in f.timeless for f in owner.filters)
        scans = bool(self.term or any(self.chosen.values())) and not served
        self.window = ""
        self.windows = {name: label for name, label in WINDOWS.items() if name != "all" or not scans}
        if owner.keyset:
            queryset = self._within_time(queryset, "all" if served else "24h")
        self.slice = self._page(queryset)
        self.rows = [self._row(row) for row in self.slice.rows]

    @property
    def narrowed(self) -> bool:
        """Whether the list may be empty only because of what was chosen."""
        return bool(self.term or any(self.chosen.values()) or self.window not in ("", "all"))

    @property
    def chips(self) -> list[dict[str, Any]]:
        """The rows of chips: the window of time first, then every filter that offers a choice."""
        rows = []
        if self.window:
            rows.append(self._chip_row("when", "When", self.windows, self.window))
        for filter_ in self.owner.filters:
            options = dict(filter_.choices(self.who))
            if options:
                values = {"*": filter_.everything, **options}
                rows.append(self._chip_row(filter_.param, filter_.label, values, self.chosen[filter_.param] or "*"))
        return rows

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What the search form keeps of the address."""
        return [(name, value) for name, value in self.asked.items() if name in self.chosen or name == "when"]

    @property
    def newer(self) -> str:
        """The address of the page before, or ""."""
        return self._turn(self.slice.newer)

    @property
    def older(self) -> str:
        """The address of the page after, or ""."""
        return self._turn(self.slice.older)

    def _chosen(self, filter_: Any) -> str:
        asked = self.asked.get(filter_.param)
        if asked == "*":
            return ""
        if asked is None:
            return str(filter_.default)
        return asked if asked in filter_.choices(self.who) else str(filter_.default)

    def _within_time(self, queryset: Any, default: str) -> Any:
        asked = self.asked.get("when", default)
        self.window = asked if asked in self.windows else default
        span = SPANS.get(self.window)
        return queryset.filter(pk__gte=ids.floor(timezone.now() - span)) if span else queryset

    def _page(self, queryset: Any) -> paging.Slice:
        if self.owner.keyset:
            newer, older = self.asked.get("newer", ""), self.asked.get("older", "")
            return paging.by_key(queryset, newer_than=newer, older_than=older)
        return paging.by_offset(queryset.order_by(*self.owner.order), page=self.asked.get("page", ""))

    def _row(self, row: Any) -> list[dict[str, Any]]:
        opts = self.owner.opts
        url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
        return [cell(row, column, "" if place else url) for place, column in enumerate(self.columns)]

    def _chip_row(self, param: str, label: str, options: Mapping[str, str], current: str) -> dict[str, Any]:
        chips = [(self._address({param: value}), text, value == current) for value, text in options.items()]
        return {"label": label, "chips": chips}

    def _turn(self, step: str) -> str:
        return self._address(dict([step.split("=", 1)])) if step else ""

    def _address(self, change: Mapping[str, str]) -> str:
        kept = {k: v for k, v in self.asked.items() if k in self.chosen or k in {"q", "when"}}
        return "?" + urlencode({**kept, **change})
