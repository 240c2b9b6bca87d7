"""Spreadsheets: a dry run that tells all, a real one that does what the verbs do, and no formulas going out."""

import io
import zipfile
from decimal import Decimal

import pytest
from openpyxl import Workbook, load_workbook

from hub.access import Actor
from hub.errors import NotAllowed, Refused
from hub.models import Partner
from mappings import imports, sheets
from mappings.models import ChargeCode, GLAccount, Mapping
from tests.mappings.conftest import make

HEAD = "partner,domain,facility,source_code,target_code,valid_from,valid_to,reason\n"
FILE = (
    HEAD
    + "carebill,department,RIVER,CATHLAB2,R110,,,new room\n"  # 2
    + "carebill,department,RIVER,CATHLAB,R110,,,\n"  # 3: in force
    + "carebill,department,RIVER,CATHLAB,R110,2026-01-01,,\n"  # 4: overlaps what is in force
    + "carebill,department,RIVER,CATHLAB2,R110,,,again\n"  # 5: line 2 says so
    + "carebill,department,RIVER,CATHLAB2,R110,2026-01-01,,\n"  # 6: overlaps line 2
    + "carebill,department,RIVER,X,R999,,,\n"  # 7
    + "carebill,department,RIVER,X,R110,1.1.26,,\n"  # 8
    + "nobody,department,RIVER,X,R110,,,\n"  # 9
).encode()


def test_a_dry_run_tells_every_line_and_writes_nothing(carebill: Partner, author: Actor) -> None:
    """New, same, overlapping and bad lines with number, column and what to do; not one row more."""
    before = Mapping.objects.count()
    report = imports.import_mappings(FILE, "mappings.csv", by=author)
    assert [(line.number, line.state, line.column) for line in report.lines] == [
        (2, "new", ""),
        (3, "same", ""),
        (4, "overlapping", "valid_from"),
        (5, "same", ""),
        (6, "overlapping", "valid_from"),
        (7, "bad", "target_code"),
        (8, "bad", "valid_from"),
        (9, "bad", "partner"),
    ]
    assert report.lines[6].text == "'1.1.26' is no date; write it as 2026-11-22."
    assert report.totals == {"new": 1, "same": 2, "overlapping": 2, "bad": 3}
    assert Mapping.objects.count() == before


def test_the_real_run_makes_proposals_that_somebody_else_approves(carebill: Partner, author: Actor) -> None:
    """New lines become proposals under the importer's name, and the second run finds them there."""
    report = imports.import_mappings(FILE, "mappings.csv", by=author, dry_run=False)
    made = Mapping.objects.get(source_code="CATHLAB2")
    assert (made.status, made.proposed_by, made.reason) == ("proposed", author.user, "new room")
    assert report.totals["new"] == 1
    again = imports.import_mappings(FILE, "mappings.csv", by=author, dry_run=False)
    assert (again.totals.get("new", 0), Mapping.objects.filter(source_code="CATHLAB2").count()) == (0, 1)


def test_lines_of_another_facility_and_people_without_the_right_are_refused(carebill: Partner) -> None:
    """Facility scope holds line by line; without the verb's permission nothing is even read."""
    north = make("ned", "finance", "NORTH")
    assert imports.import_mappings(FILE, "m.csv", by=north).lines[0].column == "facility"
    with pytest.raises(NotAllowed):
        imports.import_mappings(FILE, "m.csv", by=make("ada", "auditor", "*"))


def xlsx(*rows: list[object]) -> bytes:
    """A workbook of one sheet."""
    book, stream = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(stream)
    return stream.getvalue()


def test_charge_codes_come_from_a_workbook_with_numbers_as_people_type_them(carebill: Partner) -> None:
    """Numeric cells are codes and exact prices; the dry run counts the same and keeps nothing."""
    revenue = make("rae", "revenue_cycle", "*")
    content = xlsx(
        ["code", "name", "price", "expense_account", "valid_from"],
        [2701001, None, 19.5, 6210, "2024-01-01"],
        [3000001, "New", 1.1, None, None],
        [3000002, "Bad", "dear", None, None],
    )
    dry = imports.import_charge_codes(content, "cdm.xlsx", by=revenue)
    assert dry.totals == {"new": 1, "changed": 1, "same": 0, "bad": 1}
    assert ChargeCode.objects.count() == 2
    real = imports.import_charge_codes(content, "cdm.xlsx", by=revenue, dry_run=False)
    assert (real.totals, real.lines) == (dry.totals, dry.lines)
    assert [(line.number, line.column) for line in real.lines] == [(4, "price")]
    known = ChargeCode.objects.get(code="2701001")
    assert (known.name, known.price, known.expense_account) == (
        "Dressing",
        Decimal("19.5"),
        GLAccount.objects.get(code="6210"),
    )
    assert ChargeCode.objects.get(code="3000001").price == Decimal("1.1")
    assert known.history.first().history_change_reason == "import of cdm.xlsx"


def test_an_export_is_safe_and_comes_back_as_the_same(carebill: Partner, author: Actor) -> None:
    """Cells that a spreadsheet would run begin with an apostrophe, in both formats, and import as what they were."""
    imports.import_mappings(
        (HEAD + "carebill,department,RIVER,=1+1,R110,,,@SUM(A1)\n").encode(), "m.csv", by=author, dry_run=False
    )
    rows = Mapping.objects.all()
    plain = imports.export_mappings(rows).decode()
    assert "'=1+1" in plain
    assert "'@SUM(A1)" in plain
    book = imports.export_mappings(rows, kind="xlsx")
    cells = [cell for row in load_workbook(io.BytesIO(book)).active.iter_rows() for cell in row]
    assert [cell for cell in cells if cell.data_type == "f"] == []
    for content, name in ((plain.encode(), "m.csv"), (book, "m.xlsx")):
        assert imports.import_mappings(content, name, by=author).totals == {"same": 3}
    known = imports.export_charge_codes(ChargeCode.objects.all())
    revenue = make("rae", "revenue_cycle", "*")
    assert imports.import_charge_codes(known, "c.csv", by=revenue).totals["same"] == 2


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_goes_out_as_a_formula(value: str) -> None:
    """All six beginnings are guarded, and text that needs no guard gets none."""
    assert sheets.safe(value) == f"'{value}"
    assert (sheets.safe("a=1"), sheets.safe(None), sheets.safe("'x")) == ("a=1", "", "'x")


def bomb() -> bytes:
    """A zip file of some kilobytes that unpacks to 60 MB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 60_000_000)
    return stream.getvalue()


BROKEN: list[tuple[bytes, str, str]] = [
    (b"", "m.csv", "is empty"),
    (b"a,b\n", "m.csv", "heading lacks partner, domain"),
    (HEAD.replace("reason", "colour").encode(), "m.csv", "no column 'colour'"),
    (HEAD.replace("reason", "domain").encode(), "m.csv", "stands in the heading twice"),
    ((HEAD + "a,b\n").encode(), "m.csv", "Line 2 has 2 cells, the heading has 8"),
    ((HEAD + "a,b,caf\xe9").encode("latin-1"), "m.csv", "Line 2 is not UTF-8"),
    (b"PK\x03\x04\x00\x00", "m.csv", "is no text file"),
    ((HEAD + '"a').encode(), "m.csv", "not good CSV"),
    (b"not a zip", "m.xlsx", "no readable XLSX"),
    (b"x", "m.pdf", "Only .csv and .xlsx"),
    (b"x" * (sheets.MAX_BYTES + 1), "m.csv", "more than 5 MB"),
    ((HEAD + "a,b,c,d,e,,,\n" * (sheets.MAX_LINES + 1)).encode(), "m.csv", "at most 2000"),
    (bomb(), "m.xlsx", "unpacks to more than 50 MB"),
]


@pytest.mark.parametrize(("content", "name", "text"), BROKEN, ids=[text for _, _, text in BROKEN])
def test_a_file_that_cannot_be_read_says_why(author: Actor, content: bytes, name: str, text: str) -> None:
    """Too big, of the wrong kind, with a wrong heading or broken: one sentence each, and nothing is written."""
    with pytest.raises(Refused) as refusal:
        imports.import_mappings(content, name, by=author, dry_run=False)
    assert refusal.value.code == "IMPORT_FILE"
    assert text in refusal.value.text


def test_semicolons_and_a_byte_order_mark_are_understood(carebill: Partner, author: Actor) -> None:
    """A file as European spreadsheets save it is read like any other."""
    content = (
        b"\xef\xbb\xbf"
        + FILE.splitlines()[0].replace(b",", b";")
        + b"\r\n"
        + b"carebill;department;RIVER;C3;R110;;;\r\n"
    )
    assert imports.import_mappings(content, "m.csv", by=author).totals == {"new": 1}


def test_a_file_as_plain_text_says_what_the_file_says(carebill: Partner, author: Actor) -> None:
    """CSV stays as it is, without its mark; a workbook keeps its own columns, and an import takes both back."""
    wanted = {"columns": imports.MAPPING_COLUMNS, "required": imports.MAPPING_REQUIRED}
    assert sheets.plain(b"\xef\xbb\xbf" + FILE, "m.csv", **wanted) == FILE.decode()
    content = xlsx([*imports.MAPPING_REQUIRED, None], ["carebill", "department", "-7", "R110", None])
    told = sheets.plain(content, "m.xlsx", **wanted)
    assert told.splitlines() == ["partner,domain,source_code,target_code", "carebill,department,'-7,R110"]
    assert sheets.read(told.encode(), "m.csv", **wanted)[0]["source_code"] == "-7"
    assert sheets.plain(xlsx([*imports.MAPPING_REQUIRED]), "m.xlsx", **wanted).splitlines() == [
        "partner,domain,source_code,target_code"
    ]
