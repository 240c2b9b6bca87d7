"""The demo's network: loaded as data, once, with people whose passwords nobody knew before."""

import json
import stat
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from hub import vault
from hub.models import Endpoint, FacilityGrant, Partner
from mappings import crosswalk
from mappings.crosswalk import CodeRequest, Meaning
from mappings.demo import masters
from mappings.models import ChargeCode, CostCenter, Department, Facility, Mapping, Period

pytestmark = pytest.mark.django_db
NETWORK = json.loads((Path(__file__).parents[2] / "sandbox" / "network.json").read_text())


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ERP on loopback."""
    monkeypatch.setenv("THROUGHLINE_MLLP_PORT", "2600")
    monkeypatch.setenv("THROUGHLINE_ERP_URL", "http://127.0.0.1:8801/")
    monkeypatch.setenv("THROUGHLINE_ERP_TOKEN", "hush")


def load(**options: Any) -> str:
    """Run the command; what it printed."""
    out = StringIO()
    call_command("load_demo", stdout=out, **options)
    return out.getvalue()


def test_the_network_is_loaded_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """Masters, doors, mappings and people are there; run again, nothing moves, passwords and history included."""
    logins = tmp_path / "var" / "logins.txt"
    printed = load(logins=logins)
    assert stat.S_IMODE(logins.stat().st_mode) == 0o600
    told = {line.split()[0]: line.split()[1] for line in logins.read_text().splitlines()}
    assert set(told) == {"revenue", "supply", "approver", "finance", "integration", "auditor", "river"}
    for name, password in told.items():
        assert password in printed
        assert authenticate(username=name, password=password) is not None
    assert not get_user_model().objects.filter(is_superuser=True).exists()
    assert list(FacilityGrant.objects.filter(user__username="river").values_list("facility", flat=True)) == ["RIVER"]
    counted = {model: model.objects.count() for model in (Facility, CostCenter, Department, ChargeCode)}
    assert list(counted.values()) == [3, 45, 37, 132]
    history = Mapping.history.count(), Department.history.count(), Endpoint.history.count()
    again = load(logins=logins)
    assert "still hold" in again
    assert {line.split()[0]: line.split()[1] for line in logins.read_text().splitlines()} == told
    assert (Mapping.history.count(), Department.history.count(), Endpoint.history.count()) == history
    assert counted == {model: model.objects.count() for model in counted}
    assert all(authenticate(username=name, password=password) for name, password in told.items())


def test_every_wire_code_is_mapped_except_the_one_left_open() -> None:
    """All departments that the feed names are understood, by two people's word; CATHLAB2 is left open."""
    load()
    on = date(2026, 11, 20)
    wire = [(row["facility"], row["wire_code"], row["code"]) for row in NETWORK["departments"] if row["wire_code"]]
    found = crosswalk.translate([CodeRequest("carebill", "department", code, on, home) for home, code, _ in wire])
    assert found == [Meaning(code) for _, _, code in wire]
    (left,) = crosswalk.translate([CodeRequest("carebill", "department", "CATHLAB2", on, "RIVER")])
    assert not isinstance(left, Meaning)
    assert Mapping.objects.filter(status="approved").count() == len(wire) == 36


def test_doors_and_the_road_to_the_erp_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three MLLP doors share the port, one for each sender; the ERP's token is sealed, and both follow a change."""
    load()
    doors = Endpoint.objects.filter(direction="in").values_list("sending_application", "sending_facility", "port")
    assert sorted(doors) == [("CAREBILL", home, 2600) for home in ("LAKE", "NORTH", "RIVER")]
    erp = Endpoint.objects.get(direction="out")
    assert (erp.settings, vault.open_(erp.secret)) == ({"base_url": "http://127.0.0.1:8801"}, "hush")
    assert "hush" not in erp.secret
    monkeypatch.setenv("THROUGHLINE_MLLP_PORT", "2601")
    monkeypatch.setenv("THROUGHLINE_ERP_URL", "http://127.0.0.1:8802")
    monkeypatch.setenv("THROUGHLINE_ERP_TOKEN", "new")
    load()
    erp.refresh_from_db()
    assert (erp.settings["base_url"], vault.open_(erp.secret)) == ("http://127.0.0.1:8802", "new")
    assert set(Endpoint.objects.filter(direction="in").values_list("port", flat=True)) == {2601}
    assert Partner.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("THROUGHLINE_MLLP_PORT", "many", "use a port number"),
        ("THROUGHLINE_ERP_URL", "ftp://x", "use a URL such as"),
        ("THROUGHLINE_ERP_TOKEN", "", "both, or neither"),
    ],
)
def test_a_wrong_environment_is_refused_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    """A wrong address or port stops the command with a sentence."""
    monkeypatch.setenv(name, value)
    with pytest.raises(CommandError, match=text):
        load()
    assert Facility.objects.count() == 0


@pytest.mark.parametrize(("content", "text"), [(None, "cannot be read"), ("{", "not JSON"), ("[]", "a JSON object")])
def test_a_wrong_network_file_is_refused(tmp_path: Path, content: str | None, text: str) -> None:
    """A file that is not there, no JSON or no object stops the command with a sentence."""
    file = tmp_path / "network.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CommandError, match=text):
        load(network=file)


def test_periods_follow_the_calendar_and_never_take_back_the_erps_word() -> None:
    """Earlier months are closed, this one is open, later ones future; what the ERP closed stays closed."""
    list(masters.load(NETWORK, today=date(2026, 11, 22)))
    states = dict(Period.objects.filter(facility="RIVER").values_list("code", "status"))
    assert [states[code] for code in ("2025-01", "2026-10", "2026-11", "2026-12", "2027-12")] == [
        "closed", "closed", "open", "future", "future",
    ]  # fmt: skip
    Period.objects.filter(code="2026-11").update(status="closed")
    list(masters.load(NETWORK, today=date(2026, 12, 1)))
    states = dict(Period.objects.filter(facility="RIVER").values_list("code", "status"))
    assert (states["2026-11"], states["2026-12"]) == ("closed", "open")


def test_cost_ratios_come_from_the_price_list() -> None:
    """A department's ratio is cost over price of what it charges, as far as both are known."""
    rows = [
        {"unit_cost": "1", "price": "4", "departments": ["A"]},
        {"unit_cost": "3", "price": "4", "departments": ["A", "B"]},
        {"unit_cost": None, "price": "100", "departments": ["A", "C"]},
    ]
    assert masters.cost_ratios(rows) == {"": Decimal("0.5"), "A": Decimal("0.5"), "B": Decimal("0.75")}
