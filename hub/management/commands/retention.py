"""`manage.py retention`: which months are due to leave, and let them go."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hub import retention
from hub.access import SYSTEM
from hub.errors import HubError


class Command(BaseCommand):
    """Archive and drop the months that are older than is kept."""

    help = "Archive and drop the months of messages, facts and deliveries that are older than is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        """How much is kept, where the archive is, and whether it is meant."""
        parser.add_argument(
            "--keep", type=int, default=settings.RETENTION_MONTHS, help="whole months that stay (%(default)s)"
        )
        parser.add_argument(
            "--archive", type=Path, default=settings.ARCHIVE_FOLDER or None, help="folder (%(default)s)"
        )
        parser.add_argument("--yes", action="store_true", help="do it; without it the months are only told")

    def handle(self, **options: Any) -> None:
        """Tell, or do; a month that cannot go yet is told and the next one is tried."""
        try:
            due = retention.due(options["keep"], timezone.now())
        except HubError as error:
            raise CommandError(error.text) from error
        if not due:
            self.stdout.write("No month is due.")
        if options["yes"] and options["archive"] is None:
            raise CommandError("Say where the archive is: --archive, or the setting THROUGHLINE_ARCHIVE_FOLDER.")
        stayed = sum(not self._month(month, options) for month in due)
        if stayed:
            raise CommandError(f"{stayed} of {len(due)} months could not go.")

    def _month(self, month: retention.Month, options: dict[str, Any]) -> bool:
        if not options["yes"]:
            found = retention.obstacles(month)
            self.stdout.write(f"{month.name}: {'stays, it has ' + ', '.join(found) if found else 'may go'}")
            return not found
        try:
            archived = retention.drop(month, options["archive"], by=SYSTEM, now=timezone.now())
        except HubError as error:
            self.stderr.write(f"{month.name}: {error.text}")
            return False
        rows = sum(one.rows for one in archived)
        self.stdout.write(f"{month.name}: {rows:,} rows archived and dropped")
        return True
