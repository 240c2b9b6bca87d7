"""Spreadsheets in and out: CSV and XLSX as rows of text, within limits, and never as a formula."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import tablib  # type: ignore[import-untyped]
from import_export.formats import base_formats

from hub.errors import Refused

MAX_BYTES = 5 * 1024 * 1024
MAX_UNPACKED_BYTES = 50 * 1024 * 1024  # an XLSX is a zip file, and zip files can be bombs
MAX_LINES = 2_000  # a person is waiting for the answer; longer files are split
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read(content: bytes, name: str, *, columns: Sequence[str], required: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a CSV or XLSX file as text by column; the first one is line 2, below the heading.

    Refused (IMPORT_FILE) with a sentence where the file is too big, is none of the two, or has other columns.
    """
    if len(content) > MAX_BYTES:
        raise Refused("IMPORT_FILE", f"The file has more than {MAX_BYTES // 1024 // 1024} MB. Split it.")
    dataset = _xlsx(content) if name.lower().endswith(".xlsx") else _csv(content, name)
    headers = [str(header or "").strip().lower() for header in dataset.headers or []]
    if lacking := [column for column in required if column not in headers]:
        raise Refused("IMPORT_FILE", f"The heading lacks {', '.join(lacking)}. Columns are {', '.join(columns)}.")
    if unknown := [header for header in headers if header and header not in columns]:
        raise Refused("IMPORT_FILE", f"There is no column {unknown[0]!r}. Columns are {', '.join(columns)}.")
    if len(set(headers)) != len(headers):
        raise Refused("IMPORT_FILE", "A column stands in the heading twice. Take one of them out.")
    if len(dataset) > MAX_LINES:
        raise Refused("IMPORT_FILE", f"The file has {len(dataset)} lines; at most {MAX_LINES} at a time. Split it.")
    return [dict(zip(headers, map(text, row), strict=True)) for row in dataset]


def plain(content: bytes, name: str, *, columns: Sequence[str], required: Sequence[str]) -> str:
    """The file as CSV text that a page can show and `read` takes back. Refused as by `read`."""
    rows = read(content, name, columns=columns, required=required)
    if not name.lower().endswith(".xlsx"):
        return content.decode("utf-8-sig")
    kept = [column for column in columns if rows and column in rows[0]] or list(required)
    return write(kept, ([row[column] for column in kept] for row in rows)).decode()


def write(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, kind: str = "csv") -> bytes:
    """A file that `read` takes back. Cells that a spreadsheet would run as a formula begin with an apostrophe."""
    if kind not in {"csv", "xlsx"}:
        raise Refused("IMPORT_FILE", f"{kind!r} is no kind of file here; use csv or xlsx.")
    dataset = tablib.Dataset(headers=list(columns))
    dataset.extend([[safe(value) for value in row] for row in rows])
    if kind == "xlsx":
        return bytes(base_formats.XLSX().export_data(dataset))
    return str(base_formats.CSV().export_data(dataset)).encode()


def safe(value: Any) -> str:
    """The value as text that no spreadsheet takes for a formula (OWASP ASVS 1.2.10)."""
    found = "" if value is None else str(value)
    return f"'{found}" if found.startswith(FORMULA) else found


def text(value: Any) -> str:
    """A cell as the text that a person meant: no ".0" behind a code, no clock behind a date, no guard before a sign."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    found = str(value).strip()
    return found[1:] if found.startswith("'") and found[1:].startswith(FORMULA) else found


def _csv(content: bytes, name: str) -> tablib.Dataset:
    if not name.lower().endswith(".csv"):
        raise Refused("IMPORT_FILE", "Only .csv and .xlsx files can be read.")
    try:
        plain = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused("IMPORT_FILE", f"Line {line} is not UTF-8. Save the file as “CSV UTF-8”.") from None
    if "\x00" in plain:
        raise Refused("IMPORT_FILE", "This is no text file. Save the sheet as “CSV UTF-8”.")
    delimiter = ";" if plain.split("\n", 1)[0].count(";") > plain.split("\n", 1)[0].count(",") else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(plain), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error as error:
        raise Refused("IMPORT_FILE", f"The file is not good CSV: {error}.") from None
    return _dataset(rows)


def _xlsx(content: bytes) -> tablib.Dataset:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise Refused("IMPORT_FILE", "The file unpacks to more than 50 MB. Split it, or save it as CSV.")
        found = base_formats.XLSX().create_dataset(content)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise Refused("IMPORT_FILE", "This is no readable XLSX file. Save it anew, or as “CSV UTF-8”.") from None
    return _dataset([found.headers or [], *(row for row in found if any(value not in {None, ""} for value in row))])


def _dataset(rows: Sequence[Sequence[Any]]) -> tablib.Dataset:
    if not rows:
        raise Refused("IMPORT_FILE", "The file is empty.")
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise Refused("IMPORT_FILE", f"Line {number} has {len(row)} cells, the heading has {width}.")
    return tablib.Dataset(*rows[1:], headers=list(rows[0]))
