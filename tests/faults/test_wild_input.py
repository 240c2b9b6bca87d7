"""Whatever anybody sends: stored and applied, held, skipped, stopped with a case, or refused. Never a bug of ours."""

import random
from pathlib import Path

import pytest

from hub import bodies as stored_bodies
from hub.models import Endpoint, ExceptionCase, Message
from tests import world
from tests.faults.kit import rows
from tests.world import ROOT, dft, ft1

FIXTURES = sorted((ROOT / "tests" / "fixtures").glob("*/*.hl7"))
SAMPLES = ROOT.parent / "shared" / "samples" / "hl7v2"
ENDS = {"applied", "held", "skipped", "stopped", "blocked", "refused"}
OURS = {"BUG", "POISON"}


@pytest.fixture
def wide_open(network: Endpoint) -> Endpoint:
    """A door for every sender and processing id."""
    Endpoint.objects.update(sending_application="", sending_facility="", production=False, facility="")
    return network


def lines_of(raw: bytes) -> int:
    """Charge and credit lines of a message, counted from the bytes by somebody who knows only separators."""
    text = raw.decode("latin-1").replace("\n", "\r")
    start = text.find("MSH")
    bar, hat = text[start + 3], text[start + 4]
    count = 0
    for segment in text.split("\r"):
        fields = segment.strip(" \t\x00\x0b\x1c\ufeff").split(bar)
        if fields[0] == "FT1":
            kind = fields[6].split(hat)[0].strip().upper() if len(fields) > 6 else ""
            count += kind in {"", "CG", "CD"}
    return count


def each_ended_well() -> None:
    """No message is left, none met a bug, each stopped one has an open case, each charge line is in the books once."""
    left = rows("SELECT control_id, status FROM hub_message WHERE status <> ALL(%s)", sorted(ENDS))
    assert left == []
    bugs = rows("SELECT title, text FROM hub_exceptioncase WHERE code = ANY(%s)", sorted(OURS))
    assert bugs == []
    bare = rows(
        "SELECT m.control_id FROM hub_message m WHERE m.status = 'stopped' AND NOT EXISTS (SELECT 1 FROM"
        " hub_exceptioncase x WHERE x.subject = 'message:' || m.id AND x.status = 'open')"
    )
    assert bare == []
    counted = dict(rows("SELECT message_id, count(*) FROM billing_charge GROUP BY 1"))
    for message in Message.objects.filter(kind__startswith="DFT", status__in=["applied", "held", "skipped"]):
        raw = stored_bodies.of(message)
        assert counted.get(message.pk, 0) == message.parts == lines_of(raw), (message.control_id, raw[:300])


def send_all(bodies: list[bytes]) -> None:
    """All of it through the door, one after the other, and worked on until nothing moves."""
    for body in bodies:
        assert all(answer.split("|")[0] in {"AA", "AR", "AE"} for answer in world.receive(body))
    world.run_until_quiet()


def test_every_fixture_ends_well(wide_open: Endpoint) -> None:
    """Clean, odd, batched, cut off and in every character set."""
    assert len(FIXTURES) >= 70
    send_all([path.read_bytes() for path in FIXTURES])
    each_ended_well()
    assert rows("SELECT count(*) > 30 FROM billing_charge") == [(True,)]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no folder of samples beside the checkout")
def test_every_public_sample_ends_well_and_every_dft_among_them_yields_its_charges(wide_open: Endpoint) -> None:
    """What other systems' authors think of as HL7."""
    files: list[Path] = sorted(path for path in SAMPLES.rglob("*") if path.is_file() and "hl7" in path.suffix)
    assert len(files) > 50
    send_all([path.read_bytes() for path in files])
    each_ended_well()
    dfts = Message.objects.filter(kind__startswith="DFT")
    assert dfts.exists()
    assert not dfts.exclude(status__in=["applied", "held", "skipped", "refused", "stopped", "blocked"]).exists()


GOOD = dft("GOOD", "A1", ft1("T1", "STENT", "2", "4000"), ft1("T2", "BALLOON", "1", "310", kind="CD", original="T1"))
HOSTILE = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"|", b"^", b"~", b"\\", b"\\X00\\", b"\r", b"\n", b"\x0b", b"\x1c", b"&" * 50,
    b"9" * 400, b"-", b"NaN", b"1e9", b"\xe2\x80\xae", b"'; DROP TABLE hub_message; --", b"%s{0}",
    b"\xc2\x85", b"A" * 5000,
)  # fmt: skip


def mutant(seed: int) -> bytes:
    """The good message with some bytes put in, taken out or doubled, under a control id and transactions of its own."""
    chance = random.Random(seed)
    head, body = GOOD.split(b"\r", 1)
    for name in (b"|T1|", b"|T2|", b"|A1^"):  # an account of its own, or the first that stops holds back all others
        body = body.replace(name, name[:3] + b"x%d" % seed + name[3:])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body))
        choice = chance.random()
        if choice < 0.6:
            body = body[:at] + chance.choice(HOSTILE) + body[at:]
        elif choice < 0.8:
            body = body[:at] + body[at + chance.randint(1, 40) :]
        else:
            body = body[:at] + body[at : at + 60] + body[at:]
    return head.replace(b"|GOOD|", b"|G%d|" % seed) + b"\r" + body


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_bytes_in_a_good_message_never_meet_a_bug(wide_open: Endpoint, seed: int) -> None:
    """Two hundred mutants of a charge message; some are read, some are stopped, none breaks anything."""
    send_all([mutant(1000 * seed + n) for n in range(200)])
    left = rows("SELECT control_id FROM hub_message WHERE status <> ALL(%s)", sorted(ENDS))
    assert left == []
    bugs = rows(
        "SELECT c.text, m.id, m.raw FROM hub_exceptioncase c JOIN hub_message m ON m.id = c.message_id"
        " WHERE c.code = 'BUG'"
    )
    assert [(text, stored_bodies.open_(id_, raw)) for text, id_, raw in bugs] == []
    found = dict(rows("SELECT status, count(*) FROM hub_message GROUP BY 1"))
    assert found.get("stopped", 0) > 10
    assert found.get("applied", 0) + found.get("held", 0) > 10


def test_fields_of_every_length_fit_or_stop_with_a_place(wide_open: Endpoint) -> None:
    """Each FT1, PID and PV1 field in turn with 39, 200, 300 and 5,000 characters."""
    bodies = []
    for segment in ("FT1", "PID", "PV1", "EVN"):
        for field in range(1, 45 if segment != "EVN" else 8):
            for length in (39, 200, 300, 5000):
                parts = GOOD.decode().split("\r")
                place = next(n for n, one in enumerate(parts) if one.startswith(segment))
                fields = parts[place].split("|")
                fields += [""] * (field + 1 - len(fields))
                fields[field] = "X" * length
                name = f"{segment}{field}x{length}"
                parts[place] = "|".join(fields)
                body = "\r".join(parts).replace("|GOOD|", f"|{name}|").replace("|A1^", f"|{name}^")
                bodies.append(body.replace("|T1|", f"|{name}|").replace("|T2|", f"|C{name}|").encode())
    send_all(bodies)
    assert Message.objects.count() == len(bodies)
    assert list(ExceptionCase.objects.filter(code__in=OURS).values_list("title", "text")) == []
    assert rows("SELECT status FROM hub_message WHERE status <> ALL(%s)", sorted(ENDS)) == []


def test_a_message_with_more_lines_than_a_table_counts_does_not_break(wide_open: Endpoint) -> None:
    """33,000 charges in one message, which is more than a small integer holds."""
    body = GOOD.split(b"FT1")[0] + b"".join(
        b"FT1||Q%d||%s||CG|STENT|||1|2000||OR\r" % (n, f"{world.TODAY:%Y%m%d}".encode()) for n in range(33_000)
    )
    send_all([body])
    message = Message.objects.get()
    assert (message.status, message.problem_code) == ("stopped", "IF_PARTS")
    assert list(ExceptionCase.objects.filter(code__in=OURS).values_list("text", flat=True)) == []
