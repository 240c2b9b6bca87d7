"""`manage.py files`: takes files out of the folders of inbound endpoints."""

import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.errors import HubError
from hub.files.runner import Runner
from hub.transports import folder_terms


class Command(BaseCommand):
    """Runs until it is stopped; where its machine has the folders mounted, and nowhere else."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which endpoints, and whether to end."""
        parser.add_argument("--endpoint", action="append", default=[], help="only this one's folder; may be repeated")
        parser.add_argument("--once", action="store_true", help="take what is complete now, then end")

    def handle(self, *_: Any, **options: Any) -> None:
        """Take files until SIGTERM or SIGINT."""
        runner = Runner(options["endpoint"])
        found = runner.endpoints()
        if unknown := sorted(set(options["endpoint"]) - {endpoint.code for endpoint in found}):
            text = f"No active inbound endpoint with a folder is called {', '.join(unknown)} (or it is paused)."
            raise CommandError(text)
        if options["once"]:
            taken = runner.step()
            try:  # the rule of two looks needs a second one
                time.sleep(max((folder_terms.read(endpoint).stable_s for endpoint in found), default=0.0))
            except HubError as error:
                raise CommandError(error.text) from None
            for mine in runner.feeds.values():
                mine.next_at = float("-inf")
            self.stdout.write(f"{taken + runner.step()} files taken.")
            return

        def stop(number: int, frame: FrameType | None) -> None:
            runner.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        runner.run()
