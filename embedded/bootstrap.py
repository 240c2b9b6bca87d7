"""Makes .venv and installs what is pinned: the first thing that `make` runs, before anything is installed.

It runs under whatever Python the machine has, so it uses the standard library only, and no syntax so new that the
version check could not speak. A stamp remembers what was installed; nothing is done while the pins are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
FILES = {"demo": ROOT / "requirements" / "demo.txt", "dev": ROOT / "requirements" / "dev.txt"}
CONTAINS = {"demo": ("demo", "dev"), "dev": ("dev",)}  # a set is there when it, or one that contains it, is stamped
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHOWN_EVERY = 10  # packages between two lines where there is no terminal


def main() -> int:
    """Set up what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m embedded.bootstrap", description="make .venv and install the pins")
    parser.add_argument("what", choices=sorted(FILES), help="demo: what runs; dev: that, the tests and the linters")
    wanted = parser.parse_args().what
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        least = ".".join(map(str, OLDEST))
        print(f"Python {least} or newer is needed, and {sys.executable} is {found}.")
        print(f"Install it, or name it: make PYTHON=/path/to/python{least} ...")
        return 1
    make_environment()
    if not is_installed(wanted):
        install(wanted)
    if wanted == "dev":
        look_for_browser()
    return 0


def make_environment() -> None:
    """Create .venv if it is not there or does not work any more (its Python was removed)."""
    python = VENV / "bin" / "python"
    if python.exists() and works(python):
        return
    say(f"creating .venv with {sys.executable}")
    answer = create()
    if answer.returncode != 0 and is_root() and shutil.which("apt-get"):
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        say(f"this Python came without venv; installing {package}")
        apt_install(package)
        answer = create()
    if answer.returncode != 0:
        hint = "On Debian and Ubuntu the package python3-venv is missing."
        sys.exit(f"creating .venv failed:\n{answer.stdout}\n{hint}")


def create() -> subprocess.CompletedProcess[str]:
    """Run venv, over whatever half an environment there is."""
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def works(python: Path) -> bool:
    """Whether the environment's Python starts, is new enough, and has pip."""
    test = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(python), "-c", test], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def stamp(name: str) -> Path:
    """The file that remembers what was installed of a set."""
    return VENV / f"throughline-{name}.stamp"


def fingerprint(name: str) -> str:
    """What the stamp has to say for the set to be up to date."""
    return hashlib.sha256(FILES[name].read_bytes()).hexdigest()


def is_installed(wanted: str) -> bool:
    """Whether the pins of `wanted` are installed as they stand in the file now."""
    candidates = [(stamp(name), fingerprint(name)) for name in CONTAINS[wanted]]
    return any(path.exists() and path.read_text() == expected for path, expected in candidates)


def install(wanted: str) -> None:
    """Install the pins, each checked against its hash, showing how far it is; the whole output if it fails."""
    source = FILES[wanted]
    total = sum(1 for line in source.read_text().splitlines() if "==" in line)
    say(f"installing up to {total} packages from {source.relative_to(ROOT)}")
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "-r", str(source)]
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=str(ROOT)) as pip:
        seen = 0
        for line in pip.stdout or ():
            output.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                progress(seen, total, line.split()[1] if line.startswith("C") else "")
            elif line.startswith("Installing collected"):
                progress(total, total, "unpacking")
    finish_progress()
    if pip.returncode != 0:
        sys.exit("pip could not install {}:\n{}".format(source.relative_to(ROOT), "".join(output[-40:])))
    stamp(wanted).write_text(fingerprint(wanted))
    say("installed")


def progress(seen: int, total: int, name: str) -> None:
    """One moving line on a terminal; elsewhere a line now and then."""
    text = f"  {seen:>3} of {total}  {name}"
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K" + text)
        sys.stdout.flush()
    elif seen % SHOWN_EVERY == 0 or name == "unpacking":
        print(text, flush=True)


def finish_progress() -> None:
    """Leave the moving line."""
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")


def look_for_browser() -> None:
    """Find a Chromium for the browser stories; root on Debian installs it, anybody else is told what is not tested."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    if is_root() and shutil.which("apt-get"):
        say("no Chromium found, installing Debian's (for the browser stories)")
        apt_install("chromium")
    if not any(shutil.which(name) for name in BROWSERS):
        say("no Chromium found: the stories in tests/browser will be skipped. Install a chromium to run them.")


def apt_install(package: str) -> None:
    """Install a Debian package; a failure is shown and left to what needs the package."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for verb in (["update"], ["install", "-y", "--no-install-recommends", package]):
        command = ["apt-get", "-q", *verb]
        answer = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if answer.returncode != 0:
            say("{} failed:\n{}".format(" ".join(command), answer.stdout[-2000:]))
            return


def is_root() -> bool:
    """Whether we may install packages of the system."""
    return os.geteuid() == 0


def say(text: str) -> None:
    """Tell what is being done, at once."""
    print("setup: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
