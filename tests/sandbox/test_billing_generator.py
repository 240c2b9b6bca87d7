"""The feed's messages: the same for the same seed, plausible, synthetic, and odd exactly as often as asked."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.billing.dirt import DIRT
from sandbox.billing.messages import Generator, Made
from sandbox.billing.mix import DEFAULT_MIX, read_mix
from sandbox.billing.writing import Clock, Style, escape, segment
from sandbox.erp.periods import periods
from sandbox.network import read_network

NETWORK = read_network()
START = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


class Ticking:
    """A clock that goes on by twenty seconds with every look at it."""

    def __init__(self) -> None:
        self._now = START

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=20)
        return self._now


def generator(seed: int = 1, **options) -> Generator:
    """Return a generator with a clock of its own."""
    return Generator(seed, NETWORK, clock=Ticking(), **options)


def make(count: int, seed: int = 1, **options) -> list[Made]:
    """Return so many messages."""
    source = generator(seed, **options)
    return [source.make() for _ in range(count)]


def fields(made: Made, name: str) -> list[list[str]]:
    """Return the segments of a name, each as its fields by number (0 is the name)."""
    text = made.raw.decode("latin-1").replace("\r\n", "\r").replace("\n", "\r")
    rows = (row.lstrip() for row in text.split("\r"))
    return [row.split("|") + [""] * 50 for row in rows if row.startswith(name + "|")]


@pytest.fixture(scope="module")
def many() -> list[Made]:
    """Four thousand messages of the default mix."""
    return make(4000)


def test_the_same_seed_and_clock_make_the_same_bytes() -> None:
    """A run can be repeated to the byte, and another seed is another run."""
    first = [made.raw for made in make(400, seed=7)]
    assert first == [made.raw for made in make(400, seed=7)]
    assert first != [made.raw for made in make(400, seed=8)]
    source = generator(7)
    assert first == [source.next() for _ in range(400)]


def test_two_runs_share_no_id() -> None:
    """With another run name, no control id, transaction id or account comes again."""
    ids = []
    for name in ("ONE", "TWO"):
        made = make(200, run=name)
        ids.append(
            {each.control_id for each in made}
            | {each.account for each in made}
            | {line[2] for each in made for line in fields(each, "FT1")}
        )
    assert not ids[0] & ids[1]


def test_each_kind_is_as_frequent_as_its_share(many: list[Made]) -> None:
    """The shares of the mix are what comes out, within what chance does to four thousand messages."""
    counts = Counter(made.kind.partition(":")[0] for made in many)
    for kind, share in DEFAULT_MIX.items():
        spread = 4 * (4000 * share * (1 - share)) ** 0.5
        assert abs(counts[kind] - 4000 * share) < spread + 3, kind
    assert {made.kind.partition(":")[2] for made in many if made.kind.startswith("dirt")} == set(DIRT)


def test_a_mix_of_nothing_is_plain_and_a_mix_of_one_thing_is_that() -> None:
    """The mix can be turned to nothing, or to one kind alone."""
    assert {made.kind for made in make(200, mix=dict.fromkeys(DEFAULT_MIX, 0.0))} == {"plain"}
    only = {**dict.fromkeys(DEFAULT_MIX, 0.0), "unknown_department": 1.0}
    assert {made.kind for made in make(50, mix=only)} == {"unknown_department"}


@pytest.mark.parametrize("text", ["dirt", "dirt=", "colour=1", "dirt=2", "dirt=-1", "dirt=0.6,late=0.6"])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    """Unknown names and impossible shares raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        read_mix(text)
    assert read_mix("dirt=0, ".strip(", "))["dirt"] == 0


def test_every_message_has_its_parts(many: list[Made]) -> None:
    """Each has one MSH, EVN, PID, PV1, one to four FT1, and names its hospital, its account and itself."""
    for made in many:
        (msh,), (pid,), (pv1,) = (fields(made, name) for name in ("MSH", "PID", "PV1"))
        assert (msh[2], msh[3], msh[9]) == ("CAREBILL", made.facility, made.control_id)
        assert msh[8].startswith("DFT^P03")
        assert pid[18].split("^")[0] == made.account
        assert pid[5].startswith("SYNTH")
        assert pv1[2] in ("I", "O", "E")
        assert 1 <= len(fields(made, "FT1")) <= 4
        assert len(fields(made, "EVN")) == 1


def test_a_control_id_comes_again_only_with_the_same_bytes(many: list[Made]) -> None:
    """A resend is an earlier message to the byte; every other message has a control id of its own."""
    known: dict[str, bytes] = {}
    for made in many:
        assert (made.control_id in known) == (made.kind == "resend")
        assert known.setdefault(made.control_id, made.raw) == made.raw


def test_a_transaction_id_comes_again_only_in_a_repeat(many: list[Made]) -> None:
    """Lines have ids of their own; a repeat carries an earlier line, unchanged but for its number."""
    known: dict[str, list[str]] = {}
    for made in many:
        if made.kind == "resend":
            continue
        for line in fields(made, "FT1"):
            assert (line[2] in known) == (made.kind == "repeat"), made
            assert known.setdefault(line[2], line[2:]) == line[2:]


def test_credits_take_back_what_was_charged_and_no_more(many: list[Made]) -> None:
    """A credit names a charge of the same account and code, and all credits of a charge together do not exceed it."""
    charged: dict[str, tuple[str, str, Decimal]] = {}
    credited: dict[str, Decimal] = defaultdict(Decimal)
    for made in many:
        if made.kind == "resend":
            continue
        for line in fields(made, "FT1"):
            if line[6] == "CG":
                charged[line[2]] = (made.account, line[7], Decimal(line[10]))
                continue
            assert (made.kind, line[6]) == ("credit", "CD")
            account, code, quantity = charged[line[31]]
            credited[line[31]] += Decimal(line[10])
            assert (account, code) == (made.account, line[7])
            assert credited[line[31]] <= quantity
    assert len(credited) > 50


def test_departments_are_known_but_for_the_one(many: list[Made]) -> None:
    """Every department is one of its hospital's wire codes, and CATHLAB2 comes from RIVER alone."""
    wire = defaultdict(set)
    for row in NETWORK["departments"]:
        wire[row["facility"]].add(row["wire_code"])
    for made in many:
        departments = {line[13] for line in fields(made, "FT1")}
        if made.kind == "unknown_department":
            assert (made.facility, departments) == ("RIVER", {"CATHLAB2"})
        elif made.kind not in ("resend", "credit", "repeat"):
            assert departments <= wire[made.facility]


def test_the_unknown_department_can_have_another_name() -> None:
    """`unknown_department` is the code that nobody has mapped."""
    only = {**dict.fromkeys(DEFAULT_MIX, 0.0), "unknown_department": 1.0}
    lines = [line for made in make(20, mix=only, unknown_department="LAB9") for line in fields(made, "FT1")]
    assert {line[13] for line in lines} == {"LAB9"}


def test_charge_codes_are_known_but_in_their_kind(many: list[Made]) -> None:
    """Charge codes stand in the charge master with that price, except where unknown codes were asked for."""
    prices = {row["code"]: Decimal(row["price"]) for row in NETWORK["charge_codes"]}
    for made in many:
        for line in fields(made, "FT1"):
            code = line[7].split("^")[0]
            if made.kind == "unknown_code":
                assert code not in prices
            elif made.kind not in ("resend", "credit", "repeat"):
                assert Decimal(line[12].split("&")[0]) == prices[code]


def test_amounts_add_up_except_where_dirt_says_otherwise(many: list[Made]) -> None:
    """Quantity times price is the amount; the dirt kinds break exactly that, or leave the amount out."""
    for made in many:
        for line in fields(made, "FT1"):
            product = Decimal(line[10]) * Decimal(line[12].split("&")[0])
            if made.kind == "dirt:no_amount":
                assert line[11] == ""
            elif made.kind == "dirt:wrong_total":
                assert Decimal(line[11].split("&")[0]) > product
            elif made.kind != "resend":
                assert Decimal(line[11].split("&")[0]) == product
            assert (Decimal(line[10]) < 0) == (made.kind == "dirt:negative_quantity") or made.kind == "resend"


def test_late_charges_fall_into_closed_months() -> None:
    """Whatever the day of the month, a late charge's service is in a month that the ERP has closed."""
    only = {**dict.fromkeys(DEFAULT_MIX, 0.0), "late": 1.0}
    for offset in range(0, 40, 3):
        day = START + timedelta(days=offset)
        open_months = {
            row["code"].replace("-", "") for row in periods(NETWORK["periods"], day.date()) if row["status"] != "closed"
        }
        source = Generator(offset, NETWORK, mix=only, clock=lambda fixed=day: fixed)
        for _ in range(20):
            (line,) = fields(source.make(), "FT1")
            assert line[4][:6] not in open_months
            assert line[5][:6] == day.strftime("%Y%m")


@pytest.mark.parametrize(
    ("dirt", "found"),
    [
        ("lf", lambda raw: b"\r" not in raw and raw.count(b"\n") > 5),
        ("crlf", lambda raw: raw.count(b"\r\n") == raw.count(b"\r") > 5),
        ("blank_lines", lambda raw: b"\r\rFT1" in raw),
        ("indented", lambda raw: b"\r  FT1" in raw),
        ("latin1", lambda raw: "Größe".encode("latin-1") in raw and b"UNICODE" not in raw),
        ("odd_escapes", lambda raw: b"\\" in raw.split(b"FT1", 1)[1]),
    ],
)
def test_dirt_looks_like_its_name(many: list[Made], dirt: str, found) -> None:
    """Each kind of dirt is in the bytes of its messages."""
    raws = [made.raw for made in many if made.kind == f"dirt:{dirt}"]
    assert len(raws) > 5
    assert all(found(raw) for raw in raws)


def test_hospitals_write_in_their_own_style(many: list[Made]) -> None:
    """Versions, time-stamps and acknowledgement modes differ between the hospitals."""
    heads = {made.facility: fields(made, "MSH")[0] for made in many}
    assert {code: head[11] for code, head in heads.items()} == {"NORTH": "2.5.1", "RIVER": "2.6", "LAKE": "2.3"}
    assert {code: len(head[6]) for code, head in heads.items()} == {"NORTH": 14, "RIVER": 19, "LAKE": 12}
    assert {code: (head[14], head[15]) for code, head in heads.items()} == {
        "NORTH": ("", ""),
        "RIVER": ("AL", "NE"),
        "LAKE": ("", ""),
    }


def test_accounts_live_for_a_few_messages(many: list[Made]) -> None:
    """Most accounts get several messages, none gets many, and an account stays in one hospital."""
    fresh = [made for made in many if made.kind not in ("resend", "late")]
    sizes = Counter(made.account for made in fresh)
    assert 3 < sum(sizes.values()) / len(sizes) < 12
    assert max(sizes.values()) <= 12
    assert len({(made.account, made.facility) for made in many}) == len({made.account for made in many})


def test_a_service_is_not_before_the_admission(many: list[Made]) -> None:
    """Nothing is charged that happened before the patient came."""
    for made in many:
        admitted = fields(made, "PV1")[0][44][:12]
        assert all(line[4][:12] >= admitted for line in fields(made, "FT1"))


@given(st.dictionaries(st.integers(1, 40), st.text(max_size=20).filter(lambda text: "\r" not in text), max_size=6))
def test_a_value_never_becomes_a_field(values: dict[int, str]) -> None:
    """Escaped values stay where they were put, whatever they hold."""
    written = segment("ZZZ", {number: escape(text) for number, text in values.items()})
    parts = written.split("|")
    for number, text in values.items():
        if text:
            assert parts[number] == escape(text)
            assert not set(parts[number]) & set("^~&")
    assert len(parts) == max((number for number, text in values.items() if text), default=0) + 1


def test_without_time_zone_data_stamps_say_that_they_are_utc() -> None:
    """On a machine that does not know the zone, UTC with its offset is written instead of a wrong local time."""
    clock = Clock(Style(), "Nowhere/Unknown")
    assert clock.stamp(START) == "20261122170000+0000"
    assert Clock(Style(), "America/Chicago").stamp(START) == "20261122110000"


def test_charges_would_be_posted_in_an_open_period(many: list[Made]) -> None:
    """The posting date is today's, whenever the service was."""
    days = {line[5] for made in many for line in fields(made, "FT1") if made.kind not in ("repeat", "resend")}
    assert all(date(2026, 11, 22) <= datetime.strptime(day, "%Y%m%d").date() for day in days)  # noqa: DTZ007
