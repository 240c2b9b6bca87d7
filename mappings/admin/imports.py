"""The import pages: a spreadsheet is looked at first, line by line, and only then turned into proposals or records.

Nothing is kept on the server between the two steps. The lines stand in a text area of the page, where they can be
corrected, and go up again with the second button; what was not looked at in just this form is looked at first.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from hub import shapes
from hub.admin import verbs
from hub.admin.base import ThroughlineAdmin
from hub.errors import HubError, NotAllowed
from hub.viewer import Viewer, viewer
from mappings import imports, sheets

# What comes first on the page: what a person has to correct.
ORDER = {"bad": 0, "overlapping": 1, "new": 2, "changed": 3, "same": 4}
WRITES = ("new", "changed")
WORDS = {"bad": "Bad", "overlapping": "Overlapping", "new": "New", "changed": "Changed", "same": "Already there"}


@dataclass(frozen=True, slots=True)
class Import:
    """One kind of file: which columns it has, who may bring it, and what it becomes."""

    title: str
    intro: str
    permission: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    run: Callable[..., imports.Report]
    press: str  # the verb of the second button: "Propose"
    noun: str
    done: str  # what is said afterwards, behind "3 mappings"
    made: str  # what became of a new line
    after: str  # where to look at them: a query of the list
    example: tuple[str, ...]


MAPPINGS = Import(
    title="Import mappings",
    intro="Each new line becomes a proposal in your name; it is in force once somebody else has approved it.",
    permission="mappings.propose_mapping",
    columns=imports.MAPPING_COLUMNS,
    required=imports.MAPPING_REQUIRED,
    run=imports.import_mappings,
    press="Propose",
    noun="mapping",
    done="proposed, for somebody else to approve.",
    made="Proposed",
    after="?status=proposed",
    example=("carebill", "department", "RIVER", "CATHLAB2", "R110", "2026-01-01", "", "Second catheter laboratory"),
)
CHARGE_CODES = Import(
    title="Import charge codes",
    intro="New codes are added and changed ones take effect at once. An empty cell leaves a value as it is.",
    permission="mappings.change_chargecode",
    columns=imports.CHARGE_CODE_COLUMNS,
    required=imports.CHARGE_CODE_REQUIRED,
    run=imports.import_charge_codes,
    press="Write",
    noun="charge code",
    done="written.",
    made="Written",
    after="",
    example=("LOCAL-STENT", "Coronary stent", "", "0278", "", "2000.00", "850.25", "4", "", "", "yes", "", ""),
)


class FileForm(forms.Form):
    """The file, for the first look."""

    file = forms.FileField(
        label="CSV or XLSX file", widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}),
        help_text=f"At most {sheets.MAX_BYTES // 1024 // 1024} MB and {sheets.MAX_LINES:,} lines. "
        "From a spreadsheet program: save as “CSV UTF-8” or as XLSX.",
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Refused by its size before it is read into memory."""
        given = self.cleaned_data["file"]
        if given.size > sheets.MAX_BYTES:
            raise forms.ValidationError(f"The file has more than {sheets.MAX_BYTES // 1024 // 1024} MB. Split it.")
        return given


class LinesForm(forms.Form):
    """The file's lines as text, for every further look and for the real run."""

    lines = forms.CharField(label="The lines", strip=False, widget=forms.Textarea(attrs={"rows": 12, "class": "code"}))
    looked = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean_lines(self) -> str:
        """A browser sends other line ends than it was given."""
        return ends(self.cleaned_data["lines"])


def ends(text: str) -> str:
    """The text with one kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def mark(text: str) -> str:
    """What tells these lines from any others."""
    return hashlib.sha256(text.encode()).hexdigest()


class ImportMixin(ThroughlineAdmin):
    """A list whose rows also come from a spreadsheet."""

    importing: ClassVar[Import]

    def get_urls(self) -> list[URLPattern]:
        """The page and its example, before the patterns that take any id."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name=f"{name}_import"),
            path("import/example.csv", wrap(self.example_view), name=f"{name}_example"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the way to the import for those who may."""
        may = viewer(request).may(self.importing.permission)
        return super().changelist_view(
            request, {"import_url": self._url("import") if may else "", **(extra_context or {})}
        )

    def example_view(self, request: HttpRequest) -> HttpResponse:
        """A file with the heading and one line, to fill in."""
        self._admit(request)
        kind = self.importing
        answer = HttpResponse(sheets.write(kind.columns, [kind.example]), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}s-example.csv"'
        return answer

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """First what a file would do, then, by a second button, doing it."""
        who = self._admit(request)
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        context: dict[str, Any] = {"form": FileForm()}
        if request.method == "POST":
            try:
                context = self._again(request, who) if "lines" in request.POST else self._first(request, who)
            except NotAllowed as error:
                verbs.deny("import", self.model(), who.actor, error.text)
        return self._page(request, context)

    def _admit(self, request: HttpRequest) -> Viewer:
        who = viewer(request)
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not who.may(self.importing.permission):
            verbs.deny("import", self.model(), who.actor)
        return who

    def _first(self, request: HttpRequest, who: Viewer) -> dict[str, Any]:
        """A file came: take its text out of it and look."""
        form, kind = FileForm(request.POST, request.FILES), self.importing
        if not form.is_valid():
            return {"form": form}
        given = form.cleaned_data["file"]
        try:
            text = ends(sheets.plain(given.read(), given.name, columns=kind.columns, required=kind.required))
            report = kind.run(text.encode(), "lines.csv", by=who.actor, dry_run=True)
        except NotAllowed:
            raise
        except HubError as error:
            form.add_error("file", error.text)
            return {"form": form}
        return self._told(report, text)

    def _again(self, request: HttpRequest, who: Viewer) -> dict[str, Any]:
        """The lines came back, corrected or to be written."""
        form, kind = LinesForm(request.POST), self.importing
        if not form.is_valid():
            return {"form": FileForm(), "lines": form}
        text, asked = form.cleaned_data["lines"], "write" in request.POST
        real = asked and form.cleaned_data["looked"] == mark(text)
        try:
            report = kind.run(text.encode(), "lines.csv", by=who.actor, dry_run=not real)
        except NotAllowed:
            raise
        except HubError as error:
            form.add_error("lines", error.text)
            return {"form": FileForm(), "lines": form}
        return {**self._told(report, text), "changed_meanwhile": asked and not real}

    def _told(self, report: imports.Report, text: str) -> dict[str, Any]:
        """A report as the page shows it, what needs a hand first."""
        kind, totals = self.importing, report.totals
        writes = sum(totals.get(state, 0) for state in WRITES)
        words = WORDS if report.dry_run else {**WORDS, **dict.fromkeys(WRITES, kind.made)}
        lines = sorted(report.lines, key=lambda line: (ORDER[line.state], line.number))
        return {
            "form": FileForm(),
            "lines": LinesForm(initial={"lines": text, "looked": mark(text)}),
            "report": report,
            "rows": [(line, shapes.pill(line.state, words[line.state])) for line in lines],
            "totals": [(shapes.pill(state, words[state]), totals[state]) for state in ORDER if totals.get(state)],
            "writes": writes,
            "write": f"{kind.press} {shapes.count(writes, kind.noun)}",
            "wrong": totals.get("bad", 0) + totals.get("overlapping", 0),
            "done": f"{shapes.count(writes, kind.noun)} {kind.done}" if writes else "Nothing was new: nothing changed.",
        }

    def _page(self, request: HttpRequest, shown: dict[str, Any]) -> HttpResponse:
        kind = self.importing
        context = {
            **self.admin_site.each_context(request), "title": kind.title, "subtitle": kind.intro, "kind": kind,
            "list_url": self._url("changelist"), "list_name": str(self.opts.verbose_name_plural).capitalize(),
            "after_url": self._url("changelist") + kind.after, "example_url": self._url("example"), **shown,
        }  # fmt: skip
        return TemplateResponse(request, "admin/mappings/import.html", context)
