"""The import pages: a look first, then proposals; nothing is written that was not looked at in just this form."""

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from openpyxl import Workbook

from hub import access
from hub.models import AuditEntry, Endpoint
from mappings import imports, sheets
from mappings.admin.imports import mark
from mappings.models import ChargeCode, Mapping
from tests.hub.admin.conftest import text

HEAD = "partner,domain,facility,source_code,target_code,valid_from,valid_to,reason\n"
LINES = (
    HEAD
    + "carebill,department,,CATHLAB2,R115,,,new room\n"  # 2
    + "carebill,department,,EP,R110,,,\n"  # 3: in force
    + "carebill,department,,EP,R140,,,\n"  # 4: overlaps what is in force
    + "carebill,department,,X,R999,,,<b>bold</b>\n"  # 5: no such department
)
ROLES = [*access.ROLES, "", "superuser"]
PAGES = {
    "admin:mappings_mapping_import": "mappings.propose_mapping",
    "admin:mappings_chargecode_import": "mappings.change_chargecode",
}
MAPPINGS, CHARGE_CODES = PAGES


def look(client: Client, content: str | bytes = LINES, name: str = "m.csv", page: str = MAPPINGS) -> Any:
    """Choose a file and press the first button."""
    raw = content.encode() if isinstance(content, str) else content
    return client.post(reverse(page), {"file": SimpleUploadedFile(name, raw)})


def press(client: Client, answer: Any, page: str = MAPPINGS, **changed: str) -> Any:
    """Press the second button on what the page showed."""
    shown = answer.context["lines"].initial
    return client.post(reverse(page), {**shown, "write": "1", **changed})


@pytest.mark.parametrize("role", ROLES)
def test_the_page_opens_for_whoever_may_propose_and_for_nobody_else(
    network: Endpoint, person: Callable[..., User], role: str
) -> None:
    """Page, example, file and lines answer 200 with the permission and 403 without; links are there likewise."""
    user, client = person(role), Client()
    client.force_login(user)
    for page, permission in PAGES.items():
        may = user.has_perm(permission)
        posts = (look(client, page=page), client.post(reverse(page), {"lines": LINES, "looked": mark(LINES)}))
        answers = (client.get(reverse(page)), client.get(reverse(page.replace("_import", "_example"))), *posts)
        assert [answer.status_code for answer in answers] == [200 if may else 403] * 4
        for where in (reverse("admin:setup"), reverse(page.replace("_import", "_changelist"))):
            assert (f'href="{reverse(page)}"' in text(client.get(where))) is may


def test_a_look_tells_every_line_and_writes_nothing(network: Endpoint, login: Callable[..., Client]) -> None:
    """What needs a hand comes first, with its line and column; totals above; not one row more."""
    before = Mapping.objects.count()
    answer = look(login("finance"))
    assert [(line.number, line.state, line.column) for line, _ in answer.context["rows"]] == [
        (5, "bad", "target_code"), (4, "overlapping", "valid_from"), (2, "new", ""), (3, "same", ""),
    ]  # fmt: skip
    page = text(answer)
    assert "Propose 1 mapping" in page
    assert "Nothing is written yet" in page
    assert "The 2 lines that are bad or overlapping stay out." in page
    assert "<b>bold</b>" not in page
    assert Mapping.objects.count() == before


def test_the_second_button_makes_proposals_of_the_new_lines(network: Endpoint, login: Callable[..., Client]) -> None:
    """New lines become proposals in the importer's name; pressing twice proposes nothing twice."""
    client = login("finance")
    looked = look(client)
    answer = press(client, looked)
    made = Mapping.objects.get(source_code="CATHLAB2")
    assert (made.status, made.proposed_by.username, made.reason) == ("proposed", "the.finance", "new room")
    assert "1 mapping proposed, for somebody else to approve." in text(answer)
    assert "2 lines did not go through" in text(answer)
    assert AuditEntry.objects.filter(verb="mappings.propose").count() == 1
    assert "Nothing was new" in text(press(client, looked))
    assert Mapping.objects.filter(status="proposed").count() == 1


def test_lines_that_were_changed_since_the_look_are_looked_at_first(
    network: Endpoint, login: Callable[..., Client]
) -> None:
    """Corrected lines are not written unseen, nor lines that nobody looked at; other line ends are no change."""
    client = login("finance")
    looked = look(client)
    corrected = LINES.replace("R999", "R140")
    second = press(client, looked, lines=corrected)
    assert "The lines are not the ones you looked at." in text(second)
    assert "Propose 2 mappings" in text(second)
    assert "not the ones you looked at" in text(press(client, looked, looked=""))
    assert Mapping.objects.filter(status="proposed").count() == 0
    press(client, second, lines=corrected.replace("\n", "\r\n"))
    assert set(Mapping.objects.filter(status="proposed").values_list("source_code", flat=True)) == {"CATHLAB2", "X"}


def test_looking_again_never_writes(network: Endpoint, login: Callable[..., Client]) -> None:
    """The button below the lines is a look, whatever was looked at before."""
    client = login("finance")
    shown = look(client).context["lines"].initial
    assert client.post(reverse(MAPPINGS), shown).context["report"].dry_run
    assert Mapping.objects.filter(status="proposed").count() == 0


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"a,b\n1,2\n", "m.csv", "The heading lacks partner"),
        (b"", "m.csv", "The submitted file is empty."),
        (b"%PDF", "m.pdf", "Only .csv and .xlsx files can be read."),
        (HEAD.encode() + b"caf\xe9,,,,,,,\n", "m.csv", "Line 2 is not UTF-8."),
        (b"PK not a zip", "m.xlsx", "This is no readable XLSX file."),
        (b"x" * (sheets.MAX_BYTES + 1), "m.csv", "The file has more than 5 MB."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    network: Endpoint, login: Callable[..., Client], content: bytes, name: str, said: str
) -> None:
    """The sentence stands at the field, and there is no second button."""
    answer = look(login("finance"), content, name)
    assert answer.status_code == 200
    assert said in text(answer)
    assert 'name="write"' not in text(answer)


def test_lines_whose_heading_was_spoilt_stay_on_the_page(network: Endpoint, login: Callable[..., Client]) -> None:
    """The sentence stands above the text, which is still there to be mended."""
    client = login("finance")
    answer = text(client.post(reverse(MAPPINGS), {"lines": "partner\ncarebill\n", "looked": ""}))
    assert "The heading lacks domain" in answer
    assert "partner\ncarebill\n</textarea>" in answer


def test_a_forged_post_is_refused_and_written_down(network: Endpoint, login: Callable[..., Client]) -> None:
    """An auditor's POST of a whole import answers 403, proposes nothing and leaves a trace; so does a lost token."""
    body = {"lines": LINES, "looked": mark(LINES), "write": "1"}
    assert login("auditor").post(reverse(MAPPINGS), body).status_code == 403
    assert AuditEntry.objects.get(verb="access.denied").actor == "the.auditor"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="the.auditor"))
    assert strict.post(reverse(MAPPINGS), body).status_code == 403
    assert Mapping.objects.filter(status="proposed").count() == 0


def test_a_workbook_of_charge_codes_is_looked_at_and_written(network: Endpoint, login: Callable[..., Client]) -> None:
    """An XLSX file becomes lines on the page; the second button adds and changes exactly these codes."""
    book, stream = Workbook(), io.BytesIO()
    for row in (["code", "name", "price"], ["STENT", "Stent", 2100.5], ["WIRE", "Guide wire", 88], ["BAD", "Bad", "x"]):
        book.active.append(row)
    book.save(stream)
    client = login("revenue_cycle")
    looked = look(client, stream.getvalue(), "codes.xlsx", CHARGE_CODES)
    assert looked.context["lines"].initial["lines"].splitlines()[:2] == ["code,name,price", "STENT,Stent,2100.5"]
    assert looked.context["report"].totals == {"new": 1, "changed": 1, "same": 0, "bad": 1}
    assert "Write 2 charge codes" in text(looked)
    assert not ChargeCode.objects.filter(code="WIRE").exists()
    answer = press(client, looked, CHARGE_CODES)
    assert "2 charge codes written." in text(answer)
    assert ChargeCode.objects.get(code="STENT").price == Decimal("2100.5")
    assert ChargeCode.objects.filter(code="BAD").count() == 0


def test_the_examples_are_files_that_the_page_reads(network: Endpoint, login: Callable[..., Client]) -> None:
    """Each downloads as a CSV file with all columns, and looking at it finds one line that is good as it stands."""
    client = login("superuser")
    for page, columns in ((MAPPINGS, imports.MAPPING_COLUMNS), (CHARGE_CODES, imports.CHARGE_CODE_COLUMNS)):
        answer = client.get(reverse(page.replace("_import", "_example")))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "-example.csv" in answer["Content-Disposition"]
        assert tuple(answer.content.decode().splitlines()[0].split(",")) == columns
        assert look(client, answer.content, "example.csv", page).context["writes"] == 1
