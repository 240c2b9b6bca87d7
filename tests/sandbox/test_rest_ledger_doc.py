"""docs/integrating/rest-ledger.md says what the ERP does: its examples work, and nothing is left out."""

import json
import re

import pytest

from sandbox.erp.faults import COMMON, GARBAGE_BODIES, MODES
from sandbox.erp.journals import HEAD_FIELDS, LINE_FIELDS
from sandbox.erp.reference import KINDS
from tests.sandbox.erp_client import ErpProcess, today
from tests.sandbox.processes import ROOT

DOCUMENT = (ROOT / "docs" / "integrating" / "rest-ledger.md").read_text()
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]
ERROR, REQUEST, ANSWER, REFERENCE = EXAMPLES
PROSE = re.sub(r"```.*?```", "", DOCUMENT, flags=re.DOTALL)
NAMES = set(re.findall(r"`([^`]+)`", PROSE))


def test_the_journal_of_the_example_is_posted_as_the_example_says(erp: ErpProcess) -> None:
    """The example request is accepted, and its answer is the example answer but for the dates."""
    status, answer = erp.post({**REQUEST, "posting_date": today()})
    assert status == 201
    assert answer.keys() == ANSWER.keys()
    same = ANSWER.keys() - {"id", "posting_date", "period", "posted_at"}
    assert {name: answer[name] for name in same} == {name: ANSWER[name] for name in same}


def test_an_error_looks_like_the_example(erp: ErpProcess) -> None:
    """The example error is what a journal with that fault gets."""
    lines = [dict(line) for line in REQUEST["lines"]] * 2
    for number, line in enumerate(lines):
        lines[number] = {**line, "line_key": str(number)}
    lines[2]["account"] = "6219"
    assert erp.post({**REQUEST, "posting_date": today(), "lines": lines}) == (422, ERROR)


def test_a_reference_row_looks_like_the_example(erp: ErpProcess) -> None:
    """The example row is listed with the same fields and values."""
    (shown,) = REFERENCE["items"]
    (row,) = (row for row in erp.get("/v1/reference/accounts")["items"] if row["code"] == shown["code"])
    assert {**row, "updated_at": shown["updated_at"]} == shown


def test_every_code_that_the_erp_answers_is_documented() -> None:
    """Each error code in the ERP's source stands in the document, and each documented code of a 422 in the source."""
    source = "".join(path.read_text() for path in (ROOT / "sandbox" / "erp").glob("*.py"))
    raised = set(re.findall(r"Refused\(\s*\d{3},\s*\"(\w+)\"", source)) | set(
        re.findall(r"_wait\(fault, \d{3}, \"(\w+)\"", source)
    )
    for noun in ("account", "cost_center"):  # put together from the noun
        raised |= {f"unknown_{noun}", f"inactive_{noun}", f"{noun}_not_postable"}
    assert len(raised) > 30
    assert raised <= NAMES
    table = DOCUMENT.split("| code | meaning |")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))) <= raised


@pytest.mark.parametrize(
    "names",
    [HEAD_FIELDS, LINE_FIELDS, KINDS, MODES, COMMON, *MODES.values(), GARBAGE_BODIES],
    ids=lambda names: ",".join(sorted(names))[:40] or "none",
)
def test_every_field_kind_fault_and_option_is_documented(names) -> None:
    """What can be sent or asked for stands in the document."""
    assert set(names) <= NAMES
