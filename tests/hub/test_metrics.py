"""`/metrics`: counted from rows, only to whom it concerns, and true while a part of the database is not."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from hub import access, ids, machines, metrics, tasks
from hub.models import Breaker, Delivery, Endpoint, ExceptionCase, FacilityGrant
from tests import world
from tests.world import dft, ft1

OPERATING = Path(__file__).resolve().parents[2] / "docs" / "operating"
pytestmark = pytest.mark.django_db


@pytest.fixture
def network() -> Endpoint:
    """The small network with its billing door."""
    world.masters()
    tasks.ensure_lanes()
    return world.billing()


def key(*scopes: str, facility: str = "*", permitted: bool = True) -> str:
    """The header of a new key of a service account."""
    user = User.objects.create_user(f"machine-{User.objects.count()}")
    if permitted:
        user.user_permissions.add(Permission.objects.get(codename="view_endpoint"))
    FacilityGrant.objects.create(user=user, facility=facility)
    _, text = machines.issue(user, "Prometheus", scopes, timezone.now() + timedelta(days=30), by=access.SYSTEM)
    return f"Bearer {text}"


def scrape() -> dict[tuple[Any, ...], float]:
    """Every sample by (name, sorted labels), read by Prometheus' own reader."""
    answer = Client().get("/metrics", headers={"Authorization": key("metrics.read")})
    assert answer.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db(transaction=True)  # latencies are told by the clocks of several transactions
def test_what_waits_and_what_happened_is_counted_from_the_rows(network: Endpoint) -> None:
    """Two read, one that lacks a code, one that waits: each figure is what the tables say."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A2", ft1("T2", "STENT", "1", "2000")))
    world.receive(dft("M3", "A3", ft1("T3", "STENT", "1", "2000", "NOWHERE")))
    world.run_until_quiet()
    world.receive(dft("M4", "A4", ft1("T4", "STENT", "1", "2000")))
    code, case = network.code, ExceptionCase.objects.get()

    found = scrape()
    assert found["throughline_messages_waiting", ("endpoint", code)] == 1
    assert found["throughline_messages_oldest_waiting_seconds",] >= 0
    assert found["throughline_messages_unsettled", ("status", "held")] == 1
    assert found["throughline_messages_unsettled", ("status", "stopped")] == 0
    assert {
        status: found["throughline_messages_last_minute", ("endpoint", code), ("status", status)]
        for status in ("applied", "held", "received")
    } == {"applied": 2, "held": 1, "received": 1}
    assert found["throughline_cases_open", ("code", case.code), ("owner", case.owner)] == 1
    assert found["throughline_endpoint_paused", ("direction", "in"), ("endpoint", code)] == 0
    for stage in ("read", "react"):
        assert found["throughline_stage_seconds", ("quantile", "0.5"), ("stage", stage)] > 0
    assert found["throughline_dependency_up", ("dependency", "database")] == 1
    assert found["throughline_lanes_leased", ("state", "late")] == 0
    assert {found["throughline_figure_failed", ("figure", figure.name)] for figure in metrics.FIGURES} == {0}


def test_what_waits_to_be_sent_is_counted_by_route_and_endpoint(network: Endpoint) -> None:
    """A delivery that nobody took, and one that a person has to decide about."""
    partner = network.partner
    out = Endpoint.objects.create(partner=partner, code="erp-x", direction="out", format="x", transport="http")
    Breaker.objects.create(endpoint=out, status="open", failures=5, probe_at=timezone.now())
    for status in ("pending", "stopped"):
        Delivery.objects.create(
            id=ids.uuid7(), fact_id=ids.uuid7(), route="journals.post", endpoint=out, key="A1", lane=0, status=status
        )
    found = scrape()
    assert found["throughline_deliveries_waiting", ("endpoint", "erp-x"), ("route", "journals.post")] == 1
    assert found["throughline_circuit_open", ("endpoint", "erp-x")] == 1
    assert found["throughline_deliveries_unsettled", ("route", "journals.post"), ("status", "stopped")] == 1


def test_a_figure_that_cannot_be_told_is_said_to_be_missing_and_the_others_are_told(
    network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query fails: its figure is marked, the scrape answers, nothing is made up."""
    broken = metrics.Figure("throughline_broken", "No such table.", (), "SELECT count(*) FROM nowhere")
    monkeypatch.setattr(metrics, "FIGURES", (broken, *metrics.FIGURES))
    found = scrape()
    assert found["throughline_figure_failed", ("figure", "throughline_broken")] == 1
    assert ("throughline_broken",) not in found
    assert found["throughline_messages_waiting", ("endpoint", network.code)] == 0


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (lambda: "", 401),
        (lambda: "Bearer tl_000000000000_" + "x" * 43, 401),
        (lambda: key("charges.read"), 403),
        (lambda: key("metrics.read", permitted=False), 403),
        (lambda: key("metrics.read", facility="NORTH"), 403),
    ],
    ids=["no key", "unknown key", "another scope", "no permission", "one facility only"],
)
def test_figures_are_not_for_everybody(header: Any, status: int) -> None:
    """They tell of all facilities, so the key's account must see all of them."""
    answer = Client().get("/metrics", headers={"Authorization": header()} if header() else {})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_dashboard_rules_and_page_name_exactly_the_figures_that_are_told(network: Endpoint) -> None:
    """A figure that is renamed or new is found here before somebody looks at an empty panel."""
    told = {name for name, *_ in scrape()} | {figure.name for figure in metrics.FIGURES}
    page = set(re.findall(r"throughline_\w+", (OPERATING / "metrics.md").read_text()))
    assert page == told
    for file in ("grafana/throughline.json", "grafana/alerts.yml"):
        named = set(re.findall(r"throughline_\w+", (OPERATING / file).read_text()))
        assert named, file
        assert named <= told, file


def test_no_patient_is_told(network: Endpoint) -> None:
    """S-18: what a message says of a person appears in no label."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000", "NOWHERE")))
    world.run_until_quiet()
    assert not [name for name in scrape() if "ZZCANARY" in str(name) or "A1" in str(name)]
