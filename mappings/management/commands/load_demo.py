"""Load the demo's hospital network: masters, periods, partners, endpoints, crosswalk and people, all of it invented."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hub import partitions, roles
from mappings.demo import crosswalk, endpoints, masters, people


class Command(BaseCommand):
    """Idempotent: what is there stays as it is, passwords included; only what is missing is added."""

    help = "Load an invented hospital network for a demonstration. Never run it against a real hospital's database."

    def add_arguments(self, parser: CommandParser) -> None:
        default = Path(settings.BASE_DIR) / "sandbox" / "network.json"
        parser.add_argument("--network", type=Path, default=default, help="the network's file (JSON)")
        parser.add_argument("--logins", type=Path, help="write new log-ins to this file, readable by its owner only")

    def handle(self, *_args: Any, network: Path, logins: Path | None, **_options: Any) -> None:
        data = _read(network)
        try:
            doors = endpoints.Settings.read(os.environ)
        except ValueError as error:
            raise CommandError(str(error)) from None
        partitions.ensure()
        with transaction.atomic():
            roles.apply()
            for line in masters.load(data, today=date.today()):  # noqa: DTZ011  (the ERP's own calendar is this day's)
                self.stdout.write(line)
            made = people.load()
            for line in (*endpoints.load(data, doors), *crosswalk.load(data)):
                self.stdout.write(line)
            if logins is not None:
                people.write(logins, made)  # before the commit: nobody has a password that was told to no one
        self._tell(made, logins)

    def _tell(self, made: dict[str, str], logins: Path | None) -> None:
        if not made:
            where = f" They are in {logins}." if logins is not None and logins.exists() else ""
            self.stdout.write(f"The log-ins of an earlier run still hold.{where}")
            return
        self.stdout.write("New log-ins, made for this demonstration:")
        for line in people.table(made):
            self.stdout.write(f"  {line}")


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"The network file {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise CommandError(f"The network file {file} is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise CommandError(f"The network file {file} must hold a JSON object.")
    return data
