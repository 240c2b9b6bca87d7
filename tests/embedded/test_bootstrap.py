"""The first step of `make`: version check, environment, pins."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedded import bootstrap


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own for the first step, with small requirement files."""
    files = {"demo": tmp_path / "requirements" / "demo.txt", "dev": tmp_path / "requirements" / "dev.txt"}
    files["demo"].parent.mkdir()
    for name, path in files.items():
        path.write_text(f"# pins of {name}\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "FILES", files)
    return tmp_path


def test_an_old_python_is_told_plainly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Which version is needed, which one this is, and how to name another; nothing is created."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(sys, "argv", ["bootstrap", "demo"])
    monkeypatch.setattr(bootstrap, "make_environment", lambda: pytest.fail("nothing may be created"))
    assert bootstrap.main() == 1
    text = capsys.readouterr().out
    assert "Python 3.11 or newer is needed" in text
    assert "is 3.9.2" in text
    assert "make PYTHON=" in text


def test_the_first_step_needs_nothing_installed() -> None:
    """It runs in a bare Python: no site-packages, no import of the rest of the package."""
    argv = [sys.executable, "-I", "-S", bootstrap.__file__, "--help"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "demo" in answer.stdout


def test_the_stamp_follows_the_pins(place: Path) -> None:
    """A set counts as installed until its file changes; the big set contains the small one, not the other way."""
    bootstrap.VENV.mkdir()
    assert not bootstrap.is_installed("demo")
    bootstrap.stamp("demo").write_text(bootstrap.fingerprint("demo"))
    assert bootstrap.is_installed("demo")
    assert not bootstrap.is_installed("dev")
    bootstrap.FILES["demo"].write_text("changed==1\n")
    assert not bootstrap.is_installed("demo")
    bootstrap.stamp("dev").write_text(bootstrap.fingerprint("dev"))
    assert bootstrap.is_installed("demo")
    assert bootstrap.is_installed("dev")


def test_a_new_environment_is_made_and_a_broken_one_replaced(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The environment works afterwards; a second call does nothing; one whose Python is gone is made anew."""
    python = bootstrap.VENV / "bin" / "python"
    bootstrap.make_environment()
    assert bootstrap.works(python)
    marker = bootstrap.VENV / "marker"
    marker.touch()
    bootstrap.make_environment()
    assert marker.exists()
    python.unlink()
    python.symlink_to(place / "gone")
    bootstrap.make_environment()
    assert bootstrap.works(python)
    assert not marker.exists()
    install_and_fail(capsys)


def install_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """What pip says is shown when it fails, and the set does not count as installed."""
    bootstrap.FILES["demo"].write_text("not a requirement\n")
    with pytest.raises(SystemExit) as ended:
        bootstrap.install("demo")
    assert "pip could not install requirements/demo.txt" in str(ended.value)
    assert "Invalid requirement" in str(ended.value)
    assert not bootstrap.is_installed("demo")


def test_without_a_browser_it_is_said_what_is_not_tested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain user without Chromium reads which tests will be skipped; nothing is installed."""
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    monkeypatch.setattr(bootstrap, "apt_install", lambda package: pytest.fail("a plain user installs nothing"))
    monkeypatch.setattr(bootstrap, "is_root", lambda: False)
    bootstrap.look_for_browser()
    assert "the stories in tests/browser will be skipped" in capsys.readouterr().out


def test_root_gets_the_browser_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root on Debian the missing Chromium is installed as a package."""
    asked: list[str] = []
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap, "apt_install", asked.append)
    monkeypatch.setattr(bootstrap, "is_root", lambda: True)
    bootstrap.look_for_browser()
    assert asked == ["chromium"]
