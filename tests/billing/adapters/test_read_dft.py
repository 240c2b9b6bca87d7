"""Charges from DFT messages: every field by its rule, signs by their effect, and nothing cut, rounded or guessed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing import models
from billing.adapters import hl7_dft, hl7_places
from billing.adapters.hl7 import read_dft
from hub.errors import ParseError, Permanent
from hub.formats import hl7
from hub.routing import Read
from mappings.canonical import Charge

MSH = r"MSH|^~\&|CAREBILL|RIVER|HUB|TL|20261120120000||DFT^P03^DFT_P03|M1|P|2.5.1"
EVN = "EVN|P03|20261119"
PID = "PID|1||77^^^H^MR||DOE^JANE||19700101|F|||1 MAIN ST|||||||A1"
PV1 = "PV1|1|I|4N^401^A^NORTH|||||||CAR|||||||||V1"
FT1 = {2: "T1", 4: "20261118", 6: "CG", 7: "2701001", 13: "CATHLAB"}


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment from its fields by number."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def ft1(**changes: str) -> str:
    """The usual FT1 with some fields changed: `ft1(f10="2")`."""
    return segment("FT1", FT1 | {int(name[1:]): value for name, value in changes.items()})


def read(*lines: str, head: tuple[str, ...] = (MSH, EVN, PID, PV1), settings: dict[str, Any] | None = None) -> Read:
    """What the adapter makes of a message."""
    return read_dft(hl7.parse("\r".join((*head, *lines)).encode()), settings or {})


def charge(*lines: str, **settings: Any) -> Charge:
    """The one charge of a message with this FT1."""
    found = read(*lines, settings=settings).documents
    assert len(found) == 1
    return found[0]


def refused(*lines: str, head: tuple[str, ...] = (MSH, EVN, PID, PV1), **settings: Any) -> tuple[str, str]:
    """Code and place of the error that a message raises."""
    with pytest.raises(Permanent) as caught:
        read(*lines, head=head, settings=settings)
    return caught.value.code, caught.value.where


def test_a_plain_line_needs_no_note() -> None:
    """An ordinary message becomes one charge with what it says and defaults for what it leaves out."""
    found = read(ft1(f11="10", f12="10"))
    assert found.notes == ()
    assert found.documents == [
        Charge(
            kind="charge", transaction_id="T1", account="A1", visit="V1", facility="RIVER", department="CATHLAB",
            charge_code="2701001", quantity=Decimal(1), unit_amount=Decimal(10), amount=Decimal(10),
            service_date=date(2026, 11, 18), patient_class="I", service="CAR",
        )
    ]  # fmt: skip


FIELDS = [
    ("transaction_id", "T9", {"f2": "T9"}),
    ("transaction_id", "", {"f2": '""'}),
    ("batch", "B7", {"f3": "B7"}),
    ("service_date", date(2026, 11, 17), {"f4": "202611171130-0600"}),
    ("service_date", date(2026, 11, 17), {"f4": "20261117^20261118"}),
    ("service_date", date(2026, 11, 17), {"f4": "20261117083000.123&S^20261118"}),
    ("service_date", date(2026, 11, 17), {"f4": "2026-11-17T08:30:00Z"}),
    ("posting_date", date(2026, 11, 20), {"f5": "20261120"}),
    ("posting_date", None, {"f5": ""}),
    ("kind", "charge", {"f6": "CG^Charge^HL70017"}),
    ("kind", "charge", {"f6": "cg"}),
    ("kind", "credit", {"f6": " CD "}),
    ("charge_code", "45", {"f7": "45^Name^L"}),
    ("code_system", "L", {"f7": "45^Name^L"}),
    ("description", "Name", {"f7": "45^Name^L"}),
    ("description", "Gauze & tape ~ 4^4", {"f8": "Gauze & tape ~ 4^4", "f7": "45^Name"}),
    ("description", "Tape|wide", {"f8": r"Tape\F\wide"}),
    ("description", "Other", {"f9": "Other"}),
    ("procedure_code", "71045", {"f7": "71045^Xray^C4"}),
    ("procedure_code", "", {"f7": "71045^Xray^L"}),
    ("procedure_code", "92928", {"f25": "92928^PCI^C4", "f7": "71045^Xray^C4"}),
    ("charge_code", "92928", {"f7": "", "f25": "92928^PCI^C4"}),
    ("code_system", "C4", {"f7": "", "f25": "92928^PCI^C4"}),
    ("quantity", Decimal(1), {"f10": ""}),
    ("quantity", Decimal(0), {"f10": "0"}),
    ("quantity", Decimal("2.5"), {"f10": "+2.5"}),
    ("quantity", Decimal("0.25"), {"f10": ".25000000"}),
    ("amount", Decimal("100.10"), {"f11": "100.10&USD"}),
    ("amount", Decimal(100), {"f11": "100&USD^UP"}),
    ("amount", None, {"f11": "&USD"}),
    ("currency", "EUR", {"f11": "100&EUR^UP"}),
    ("currency", "EUR", {"f11": "100^eur"}),
    ("currency", "USD", {"f11": "100^UP"}),
    ("currency", "CAD", {"f12": "100&CAD"}),
    ("unit_amount", Decimal("0.00345678"), {"f12": "0.00345678"}),
    ("department", "CATH", {"f13": "CATH^Catheter lab^L"}),
    ("department", "OR1", {"f13": "", "f16": "OR1^2^3"}),
    ("department", "4N", {"f13": ""}),
    ("location", "OR1", {"f16": "OR1^2^3^NORTH"}),
    ("performer", "777", {"f20": "777^Smith^Adam"}),
    ("performer", "888", {"f20": "^Smith^Adam~888^Jones"}),
    ("performer", "", {"f20": "^Smith^Adam"}),
    ("unit_cost", Decimal("12.3456"), {"f22": "12.3456&USD"}),
    ("unit_cost", Decimal(12), {"f22": "-12"}),
    ("filler_order", "F1", {"f23": "F1^LAB"}),
    ("modifiers", ("RT", "GA"), {"f26": "RT~GA"}),
    ("modifiers", ("59", "RT"), {"f26": "59^Distinct~~RT^Right"}),
    ("repeat_reason", "R1", {"f28": "R1^Again"}),
    ("repeat_reason", "Again", {"f28": "^Again"}),
    ("ndc", "00182106105", {"f29": "0182-1061-05"}),
    ("ndc", "12345012301", {"f29": "12345-123-01^Drug^NDC"}),
    ("ndc", "12345123401", {"f29": "12345-1234-1"}),
    ("ndc", "12345123401", {"f29": "12345-1234-01"}),
    ("ndc", "12345123401", {"f29": "12345123401"}),
    ("ndc", "1234512340", {"f29": "1234512340"}),
    ("original", "T0", {"f30": "T0"}),
    ("original", "T0", {"f31": "T0", "f30": "P0"}),
    ("item", "I9", {"f34": "I9^Stent"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected", "fields"), FIELDS)
def test_each_field_is_read_by_its_rule(name: str, expected: Any, fields: dict[str, str]) -> None:
    """One FT1 with the given fields has the given value in the canonical charge."""
    found = getattr(charge(ft1(**fields)), name)
    assert found == expected
    assert type(found) is type(expected)


NOTES = [
    ("FT1-6 is empty, read as a charge: FT1[1]", {"f6": ""}),
    ("no charge code in FT1-7, the procedure code in FT1-25 is taken: FT1[1]", {"f7": "", "f25": "92928"}),
    ("no department in FT1-13, the location in FT1-16 is taken: FT1[1]", {"f13": "", "f16": "OR1"}),
    ("no department in FT1-13, the location in PV1-3 is taken: FT1[1]", {"f13": ""}),
    ("no amount in FT1-11 or FT1-12: FT1[1]", {"f11": ""}),
    ("no day in FT1-4, the one in EVN-2 is taken: FT1[1]", {"f4": ""}),
    ("description cut to 200 characters: FT1[1]", {"f8": "x" * 201}),
    ("unit cost in FT1-22 was negative, its sign is dropped: FT1[1]", {"f22": "-1"}),
    ("drug code in FT1-29 kept as sent, it does not make 11 digits: FT1[1]", {"f29": "123"}),
]


@pytest.mark.parametrize(("note", "fields"), NOTES)
def test_what_is_tolerated_is_noted(note: str, fields: dict[str, str]) -> None:
    """A line that needs help is read with exactly one note that says which and where."""
    assert read(ft1(**{"f11": "5", **fields})).notes == (note,)


ERRORS = [
    ("CHG_TOO_LONG", "FT1[1]-2", {"f2": "T" * 151}),
    ("CHG_DATE", "FT1[1]-4", {"f4": "20261131"}),
    ("CHG_DATE", "FT1[1]-4", {"f4": "yesterday"}),
    ("CHG_DATE", "FT1[1]-4", {"f4": "2025"}),  # no other day of the message lies in that year
    ("CHG_DATE", "FT1[1]-4", {"f4": "202613"}),
    ("CHG_DATE", "FT1[1]-5", {"f5": "202611"}),
    ("CHG_TYPE", "FT1[1]-6", {"f6": "XX"}),
    ("CHG_CODE", "FT1[1]-7", {"f7": ""}),
    ("CHG_TOO_LONG", "FT1[1]-7", {"f7": "C" * 121}),
    ("CHG_TOO_LONG", "FT1[1]-7", {"f7": "C" * 21 + "^Name^CPT"}),
    ("CHG_NUMBER", "FT1[1]-10", {"f10": "two"}),
    ("CHG_NUMBER", "FT1[1]-10", {"f10": "1e3"}),
    ("CHG_NUMBER", "FT1[1]-10", {"f10": "NaN"}),
    ("CHG_NUMBER", "FT1[1]-10", {"f10": "٣"}),
    ("CHG_NUMBER", "FT1[1]-10", {"f10": "1" * 41}),
    ("CHG_TOO_LONG", "FT1[1]-10", {"f10": "123456789"}),
    ("CHG_TOO_LONG", "FT1[1]-10", {"f10": "1.00001"}),
    ("CHG_NUMBER", "FT1[1]-11", {"f11": "Infinity"}),
    ("CHG_NUMBER", "FT1[1]-11", {"f11": "1,234.00"}),
    ("CHG_NUMBER", "FT1[1]-11", {"f11": "$5"}),
    ("CHG_NUMBER", "FT1[1]-11", {"f11": "."}),
    ("CHG_TOO_LONG", "FT1[1]-11", {"f11": "1234567890123456"}),
    ("CHG_TOO_LONG", "FT1[1]-11", {"f11": "0.00001"}),
    ("CHG_CURRENCY", "FT1[1]-11", {"f11": "5&Dollars"}),
    ("CHG_CURRENCY", "FT1[1]-12", {"f11": "5&USD", "f12": "5&EUR"}),
    ("CHG_NUMBER", "FT1[1]-12", {"f12": "x"}),
    ("CHG_TOO_LONG", "FT1[1]-12", {"f12": "0.000000001"}),
    ("CHG_TOO_LONG", "FT1[1]-12", {"f12": "999999999999999", "f10": "2"}),
    ("CHG_TOO_LONG", "FT1[1]-13", {"f13": "D" * 121}),
    ("CHG_CURRENCY", "FT1[1]-22", {"f11": "5&USD", "f22": "5&EUR"}),
    ("CHG_TOO_LONG", "FT1[1]-22", {"f22": "0.00001"}),
    ("CHG_TOO_LONG", "FT1[1]-23", {"f23": "F" * 61}),
    ("CHG_TOO_LONG", "FT1[1]-25", {"f25": "P" * 21}),
    ("CHG_TOO_LONG", "FT1[1]-26", {"f26": "~".join(["AB"] * 14)}),
    ("CHG_TOO_LONG", "FT1[1]-30", {"f30": "O" * 151}),
    ("CHG_TOO_LONG", "FT1[1]-31", {"f31": "O" * 151}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "where", "fields"), ERRORS)
def test_what_cannot_be_read_is_refused_with_its_place(code: str, where: str, fields: dict[str, str]) -> None:
    """Nothing is cut, rounded or guessed: the error names the field."""
    assert refused(ft1(**fields)) == (code, where)


def test_the_place_counts_every_ft1() -> None:
    """An error in the third FT1 says so although the second is a payment."""
    assert refused(ft1(), ft1(f6="PY"), ft1(f10="x")) == ("CHG_NUMBER", "FT1[3]-10")


@pytest.mark.parametrize(
    ("first", "then"),
    [("EVN-6", "20261111"), ("EVN-2", "20261112"), ("PV1-44", "20261113"), ("MSH-7", "20261120")],
)
def test_a_missing_service_date_has_four_stand_ins(first: str, then: str) -> None:
    """EVN-6, else EVN-2, else PV1-44, else MSH-7, and the note says which."""
    days = {"EVN-6": "20261111", "EVN-2": "20261112", "PV1-44": "20261113"}
    order = [*days, "MSH-7"]
    present = {name: day for name, day in days.items() if order.index(name) >= order.index(first)}
    evn = segment("EVN", {1: "P03", 2: present.get("EVN-2", ""), 6: present.get("EVN-6", "")})
    found = read(ft1(f4="", f11="5"), head=(MSH, evn, PID, segment("PV1", {2: "I", 44: present.get("PV1-44", "")})))
    assert f"{found.documents[0].service_date:%Y%m%d}" == then
    assert found.notes == (f"no day in FT1-4, the one in {first} is taken: FT1[1]",)


@pytest.mark.parametrize(("stated", "expected"), [("202611", "20261119"), ("2026", "20261119"), ("202610", "20261031")])
def test_a_month_or_year_is_completed_by_a_day_within_it(stated: str, expected: str) -> None:
    """The stand-in must agree with what the line says: an October line does not become a November charge."""
    found = read(ft1(f4=stated), head=(MSH, EVN, PID, segment("PV1", {2: "I", 44: "20261031"}))).documents
    assert f"{found[0].service_date:%Y%m%d}" == expected


def test_no_date_anywhere_is_refused() -> None:
    """A line without a day in a message without a day has no service date."""
    head = (MSH.replace("20261120120000", ""), "EVN|P03", PID, PV1)
    assert refused(ft1(f4=""), head=head) == ("CHG_DATE", "FT1[1]-4")


ACCOUNTS = [
    ("A1", PID, PV1, ()),
    ("V1", segment("PID", {3: "77^^^H^MR"}), PV1, ("no account in PID-18, the visit number in PV1-19 is taken",)),
    ("77", segment("PID", {3: "5^^^H^SS~77^^^H^MR"}), "PV1|1|I", None),
    ("88", segment("PID", {3: "77^^^H^MR~88^^^H^AN"}), "PV1|1|I", None),
    ("5", segment("PID", {3: "5^^^H^SS"}), "PV1|1|I", None),
]


@pytest.mark.parametrize(("expected", "pid", "pv1", "notes"), ACCOUNTS)
def test_the_account_is_found(expected: str, pid: str, pv1: str, notes: tuple[str, ...] | None) -> None:
    """PID-18, else PV1-19, else PID-3 by its type; the last two are noted."""
    found = read(ft1(f11="5"), head=(MSH, EVN, pid, pv1))
    assert found.documents[0].account == expected
    last = ("no account in PID-18 or PV1-19, the patient identifier in PID-3 is taken",)
    assert found.notes == (last if notes is None else notes)


@pytest.mark.parametrize(
    ("head", "code", "where"),
    [
        ((MSH, EVN), "CHG_ACCOUNT", "PID-18"),
        ((MSH, EVN, segment("PID", {18: "A" * 61})), "CHG_TOO_LONG", "PID-18"),
        ((MSH, EVN, PID, PID), "CHG_ACCOUNT", "PID[2]"),
        ((MSH, EVN, PID, MSH, EVN, PID), "IF_PARSE", "MSH[2]"),
        ((MSH.replace("RIVER", "R" * 61), EVN, PID), "CHG_TOO_LONG", "MSH-4"),
        ((MSH, EVN, PID, segment("PV1", {2: "C" * 11})), "CHG_TOO_LONG", "PV1-2"),
        ((MSH, EVN, PID, segment("PV1", {10: "S" * 41})), "CHG_TOO_LONG", "PV1-10"),
        ((MSH, EVN, PID, segment("PV1", {19: "V" * 61})), "CHG_TOO_LONG", "PV1-19"),
    ],
)
def test_a_message_that_is_nobodys_is_refused(head: tuple[str, ...], code: str, where: str) -> None:
    """No account, two patients, two messages in one body, or a value that no column keeps."""
    assert refused(ft1(), head=head) == (code, where)


FACILITIES = [
    ("RIVER", {}, {"f16": "OR1^^^NORTH"}),
    ("RIVER", {"facility_from": "msh"}, {"f16": "OR1^^^NORTH"}),
    ("WEST", {"facility_from": "location"}, {"f16": "OR1^^^WEST&1.2.3&ISO"}),
    ("NORTH", {"facility_from": "location"}, {"f16": "OR1"}),
]


@pytest.mark.parametrize(("expected", "settings", "fields"), FACILITIES)
def test_the_facility_comes_from_where_the_endpoint_says(
    expected: str, settings: dict[str, str], fields: dict[str, str]
) -> None:
    """MSH-4 unless the endpoint says location: then FT1-16.4, PV1-3.4, MSH-4."""
    assert charge(ft1(**fields), **settings).facility == expected


def test_the_location_may_leave_the_facility_to_the_header() -> None:
    """Neither FT1-16.4 nor PV1-3.4: MSH-4; and a header without one is noted."""
    head = (MSH, EVN, PID, "PV1|1|I|4N")
    assert read(ft1(f11="5"), head=head, settings={"facility_from": "location"}).documents[0].facility == "RIVER"
    found = read(ft1(f11="5"), head=(MSH.replace("RIVER", ""), EVN, PID, PV1))
    assert (found.documents[0].facility, found.notes) == ("", ("no facility in MSH-4",))
    named_by_oid = MSH.replace("RIVER", "^1.2.3^ISO")
    assert read(ft1(), head=(named_by_oid, EVN, PID, PV1)).documents[0].facility == "1.2.3"


def test_the_patient_class_falls_back_to_the_line() -> None:
    """FT1-18 stands in where PV1 says no class."""
    assert read(ft1(f18="O"), head=(MSH, EVN, PID)).documents[0].patient_class == "O"
    assert refused(ft1(f18="O" * 11), head=(MSH, EVN, PID)) == ("CHG_TOO_LONG", "FT1[1]-18")


# type, quantity, extended, unit, setting -> kind, quantity, extended, unit, flags
SIGNS = [
    ("CG", "2", "20", "10", "hold", "charge", "2", "20", "10", ()),
    ("CD", "2", "20", "10", "hold", "credit", "-2", "-20", "10", ()),
    ("CD", "-2", "20", "10", "hold", "credit", "-2", "-20", "10", ()),
    ("CD", "2", "-20", "10", "hold", "credit", "-2", "-20", "10", ()),
    ("CD", "-2", "-20", "10", "hold", "credit", "-2", "-20", "10", ("sign_ambiguous",)),
    ("CD", "-2", "", "-10", "hold", "credit", "-2", None, "10", ("sign_ambiguous",)),
    ("CD", "2", "", "", "hold", "credit", "-2", None, None, ()),
    ("CD", "0", "0", "", "hold", "credit", "0", "0", None, ()),
    ("CG", "-2", "-20", "10", "hold", "charge", "-2", "-20", "10", ("negative_charge",)),
    ("CG", "2", "-20", "10", "hold", "charge", "-2", "-20", "10", ("negative_charge",)),
    ("CG", "-2", "-20", "10", "credit", "credit", "-2", "-20", "10", ("negative_charge",)),
    ("CG", "-2", "20", "10", "credit", "credit", "-2", "-20", "10", ("negative_charge",)),
    ("CG", "2", "20", "10", "credit", "charge", "2", "20", "10", ()),
    ("CG", "-0", "-0.00", "", "hold", "charge", "0", "0", None, ()),
    ("CG", "2", "20.01", "10", "hold", "charge", "2", "20.01", "10", ()),
    ("CG", "2", "20.02", "10", "hold", "charge", "2", "20.02", "10", ("extension_differs",)),
    ("CD", "-2", "-25", "10", "hold", "credit", "-2", "-25", "10", ("sign_ambiguous", "extension_differs")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "quantity", "amount", "unit", "setting", "kind", "q", "a", "u", "flags"), SIGNS)
def test_signs_follow_the_effect(
    code: str, quantity: str, amount: str, unit: str, setting: str,
    kind: str, q: str, a: str | None, u: str | None, flags: tuple[str, ...],
) -> None:  # fmt: skip
    """However a sender writes its signs, a credit is negative, and a charge with a minus is flagged."""
    found = charge(ft1(f6=code, f10=quantity, f11=amount, f12=unit), negative_charge=setting)
    assert (found.kind, found.quantity, found.flags) == (kind, Decimal(q), flags)
    assert found.amount == (None if a is None else Decimal(a))
    assert found.unit_amount == (None if u is None else Decimal(u))
    for value in (found.quantity, found.amount):
        assert value is None or not (value == 0 and value.is_signed())
    assert found.worth == (found.amount if a is not None else (found.unit_amount or 0) * found.quantity)


def test_other_transactions_are_counted_and_passed_over() -> None:
    """Payments, adjustments and co-payments are no charges; the notes say where they stand."""
    found = read(ft1(f11="5"), ft1(f6="PY"), ft1(f6="AJ"), ft1(f6="CO^Co"), ft1(f6="py"), ft1(f2="T2", f11="5"))
    assert [one.transaction_id for one in found.documents] == ["T1", "T2"]
    assert found.notes == (
        "2 payment lines are not charges: FT1[2], FT1[5]",
        "1 adjustment line is not a charge: FT1[3]",
        "1 co-payment line is not a charge: FT1[4]",
    )


def test_a_message_of_payments_needs_no_account() -> None:
    """Nothing is booked, so nothing has to be found; the notes say why nothing came of it."""
    found = read(ft1(f6="PY"), head=(MSH, EVN))
    assert (found.documents, found.notes) == (
        (),
        ("1 payment line is not a charge: FT1[1]", "no charge in the message"),
    )


def test_charges_are_the_ft1s_wherever_they_stand() -> None:
    """Orders before the lines, inside them and between them, procedures and roles: every FT1 counts, in order."""
    found = read(
        "ORC|RE|P1|F1", "OBR|1", ft1(f2="T1"), "PR1|1||92928", "ROL|1", "ORC|RE|P2|F2", "NTE|1", ft1(f2="T2"),
        "DG1|1", "GT1|1", ft1(f2="T3"), "IN1|1",
    )  # fmt: skip
    assert [one.transaction_id for one in found.documents] == ["T1", "T2", "T3"]


def test_notes_of_many_lines_stay_short() -> None:
    """Five hundred lines without an amount make one note."""
    found = read(*[ft1()] * 500)
    assert len(found.documents) == 500
    assert found.notes == ("no amount in FT1-11 or FT1-12: FT1[1], FT1[2], FT1[3], FT1[4], FT1[5] and 495 more",)


def test_what_the_format_tolerated_is_told_too() -> None:
    """Line ends and the like are in the notes of the message, before the adapter's own."""
    raw = "\n".join((MSH, EVN, PID, PV1, ft1())).encode()
    assert read_dft(hl7.parse(raw), {}).notes == ("line_ends_lf", "no amount in FT1-11 or FT1-12: FT1[1]")


@pytest.mark.parametrize("separators", ["|^~\\&", "#!@%*", "^~|\\&", "@~&#\\"])
def test_any_separators_give_the_same_charge(separators: str) -> None:
    """The nine plausible sets of the wild differ in their characters only."""
    field, component, repetition, escape, sub = separators
    plain = "\r".join((MSH, EVN, PID, PV1, ft1(f11="5&USD", f26="RT~GA", f7="45^Name^L")))
    table = str.maketrans("|^~\\&", field + component + repetition + escape + sub)
    assert read_dft(hl7.parse(plain.translate(table).encode()), {}) == read_dft(hl7.parse(plain.encode()), {})


def test_no_patient_is_named() -> None:
    """Neither name, birth date nor address reaches the canonical charge or a note."""
    text = repr(read(ft1(f13="", f4="")))
    assert not [secret for secret in ("DOE", "JANE", "1970", "MAIN") if secret in text]


PATHS = {"lot": "ZSU-4", "serial": "ZSU-5", "udi": "ZSU-6.1", "item": "ZSU-2"}


def test_z_segments_are_read_where_the_endpoint_says() -> None:
    """Each line has what follows it, to the next line; a line that nothing follows has nothing."""
    found = read(
        ft1(), "PR1|1", "ZSU|1|I1||L1|S1|U1^x", ft1(), ft1(), "ZSU|1|I3||L3", "IN1|1", "ZSU|1|I4||L4",
        settings={"paths": PATHS},
    ).documents  # fmt: skip
    assert [(one.item, one.lot, one.serial, one.udi) for one in found] == [
        ("I1", "L1", "S1", "U1"), ("", "", "", ""), ("I3", "L3", "", ""),
    ]  # fmt: skip


def test_a_second_z_segment_is_noted() -> None:
    """A line that used two lots names one of them; the other is not lost without a word."""
    found = read(ft1(f11="5"), "ZSU|1|||L1", "ZSU|2|||L2", settings={"paths": {"lot": "ZSU-4"}})
    assert found.documents[0].lot == "L1"
    assert found.notes == ("several ZSU follow one line, setting paths.lot reads number 1: FT1[1]",)


def test_orders_that_lead_their_charge_belong_to_it() -> None:
    """Where orders come first, what follows an ORC is about the next line and not about the last."""
    device = segment("PRT", {10: "UDI1", 19: "L1", 20: "S1"})
    found = read("ORC|RE", ft1(), "ORC|RE", device, ft1(), device).documents
    assert [(one.udi, one.lot, one.serial) for one in found] == [("", "", ""), ("UDI1", "L1", "S1")]


def test_prt_tells_the_device_where_no_path_does() -> None:
    """PRT-10, else 16, 19 and 20 of v2.8; a configured path comes first."""
    device = segment("PRT", {16: "00643169001763^^2.51.1.1^ISO", 19: "123ABC", 20: "21A11F"})
    found = read(ft1(), device, "ZSU|1|||L1", settings={"paths": {"lot": "ZSU-4"}}).documents[0]
    assert (found.udi, found.lot, found.serial) == ("00643169001763", "L1", "21A11F")


SETTINGS = [
    ({"paths": {"lot": "ZSU4"}}, "settings.paths.lot"),
    ({"paths": {"lot": 4}}, "settings.paths.lot"),
    ({"paths": {"colour": "ZSU-4"}}, "settings.paths"),
    ({"paths": "ZSU-4"}, "settings.paths"),
    ({"facility_from": "door"}, "settings.facility_from"),
    ({"negative_charge": "ignore"}, "settings.negative_charge"),
    ({"currency": "Dollar"}, "settings.currency"),
]


@pytest.mark.parametrize(("settings", "where"), SETTINGS)
def test_a_bad_setting_is_named(settings: dict[str, Any], where: str) -> None:
    """The error says which setting of the endpoint to correct, whatever the message is."""
    with pytest.raises(Permanent) as caught:
        read(ft1(), settings=settings)
    assert not isinstance(caught.value, ParseError)
    assert (caught.value.code, caught.value.where) == ("IF_SETTINGS", where)
    assert where.removeprefix("settings.") in caught.value.text


def test_the_currency_of_the_endpoint_is_the_last_word() -> None:
    """An amount's own currency, else the endpoint's, else USD."""
    assert charge(ft1(f11="5&EUR"), currency="CAD").currency == "EUR"
    assert charge(ft1(f11="5"), currency="cad").currency == "CAD"
    assert charge(ft1(f11="5")).currency == "USD"


def test_limits_are_those_of_the_tables() -> None:
    """What passes the adapter fits the columns that it is written to."""
    columns = {name: models.Charge._meta.get_field(name).max_length for name in (
        "source_code", "source_department", "description", "procedure_code", "modifiers", "filler_order", "account",
        "visit", "source_facility", "line_key",
    )}  # fmt: skip
    assert columns == {
        "source_code": hl7_dft.CODE, "source_department": hl7_dft.DEPARTMENT, "description": hl7_dft.DESCRIPTION,
        "procedure_code": hl7_dft.PROCEDURE, "modifiers": hl7_dft.MODIFIERS, "filler_order": hl7_dft.ORDER,
        "account": hl7_places.ACCOUNT, "visit": hl7_places.VISIT, "source_facility": hl7_places.FACILITY,
        "line_key": 200,
    }  # fmt: skip
    visit = models.Visit._meta
    assert visit.get_field("patient_class").max_length == hl7_places.PATIENT_CLASS
    assert visit.get_field("service").max_length == hl7_places.SERVICE
    assert visit.get_field("merged_into").max_length == hl7_places.ACCOUNT
