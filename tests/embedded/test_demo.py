"""The demo's process table: what is started, in which order, with which secrets and ports."""

from pathlib import Path

import pytest

import embedded
from embedded import demo, ports, servers, table
from embedded.process import Spec

AT = demo.Addresses(web=8000, mllp=2575, erp=8801)
ADDRESSES = embedded.Servers(
    "postgresql://throughline:pg-word@127.0.0.1:1/throughline", "redis://:r-word@127.0.0.1:2/0"
)


@pytest.mark.parametrize("given", [(), ("postgres",), ("postgres", "valkey")])
def test_the_table_can_work(given: tuple[str, ...], tmp_path: Path) -> None:
    """With our servers or without, the table has no unknown name and no circle, and the feed needs all of it."""
    rows = demo.processes(given, AT, tmp_path, 3.0)
    started = [Spec(name, ("true",)) for name in given]
    table.check([*started, *rows])
    assert [row.name for row in rows] == ["migrate", "erp", "load", "web", "mllp", "worker", "sender", "feed"]
    assert table.needs([*started, *rows], "feed") == {*given, "migrate", "erp", "load", "mllp", "worker", "sender"}


def test_no_secret_stands_on_a_command_line(tmp_path: Path) -> None:
    """Command lines can be read by every user of the machine: keys and passwords travel in the environment."""
    environment = demo.environment(ADDRESSES, AT, tmp_path)
    words = [environment[name] for name in ("THROUGHLINE_SECRET_KEY", "THROUGHLINE_VAULT_KEYS", "SANDBOX_ERP_TOKEN")]
    for row in demo.processes(("postgres",), AT, tmp_path, 3.0):
        line = " ".join(row.argv)
        assert not any(word in line for word in [*words, "pg-word", "r-word"])


def test_keys_are_made_once_and_the_callers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start signs and opens with the first one's keys; a variable that is set already wins."""
    for name in ("THROUGHLINE_SECRET_KEY", "THROUGHLINE_VAULT_KEYS"):
        monkeypatch.delenv(name, raising=False)
    first = demo.environment(ADDRESSES, AT, tmp_path)
    assert demo.environment(ADDRESSES, AT, tmp_path)["THROUGHLINE_SECRET_KEY"] == first["THROUGHLINE_SECRET_KEY"]
    monkeypatch.setenv("THROUGHLINE_SECRET_KEY", "of the caller")
    again = demo.environment(ADDRESSES, AT, tmp_path)
    assert again["THROUGHLINE_SECRET_KEY"] == "of the caller"
    assert again["THROUGHLINE_VAULT_KEYS"] == first["THROUGHLINE_VAULT_KEYS"]


def test_a_taken_port_is_replaced_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next free port is used, the names never share one, and the person is told."""
    monkeypatch.setattr(ports, "is_free", lambda port: port not in (8000, 8001, 2575))
    at, notes = demo.choose_ports()
    assert at == demo.Addresses(web=8002, mllp=2576, erp=8801)
    assert notes == ["port 8000 is taken, web uses 8002 instead", "port 2575 is taken, MLLP uses 2576 instead"]


def test_a_second_demo_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """Two supervisors never share a folder; the error says what to do."""
    with servers.holding(tmp_path) as held:
        assert held
        with pytest.raises(embedded.EmbeddedError, match="already runs on"):
            demo.run(tmp_path, tmp_path / "demo")
