"""`manage.py apikey issue|revoke|list`: keys of machines, for whoever operates the server."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hub import machines
from hub.access import SYSTEM
from hub.errors import HubError
from hub.models import ApiKey


class Command(BaseCommand):
    """Issue, revoke and list API keys."""

    help = "Issue, revoke and list the keys with which machines use the API and the HTTP door."

    def add_arguments(self, parser: CommandParser) -> None:
        """Three sub-commands; each says what it needs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        issue = verbs.add_parser("issue", help="make a key; it is printed once and not kept")
        issue.add_argument("--user", required=True, help="the service account that the key acts as")
        issue.add_argument("--name", required=True, help="which machine holds the key")
        issue.add_argument("--scope", action="append", required=True, help='e.g. "charges.read"; may be repeated')
        issue.add_argument("--days", type=int, default=90, help=f"how long it lasts, at most {machines.MAX_DAYS}")
        revoke = verbs.add_parser("revoke", help="end a key now")
        revoke.add_argument("prefix", help="the twelve characters after tl_, as `list` shows them")
        revoke.add_argument("--reason", default="")
        verbs.add_parser("list", help="all keys, the newest first")

    def handle(self, *, verb: str, **options: Any) -> None:
        """One verb; a refusal is one sentence and exit code 1."""
        try:
            {"issue": self.issue, "revoke": self.revoke, "list": self.list}[verb](options)
        except HubError as error:
            raise CommandError(error.text) from error

    def issue(self, options: dict[str, Any]) -> None:
        """Print the key alone on standard output, so that it can be piped into a vault; the rest goes to stderr."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}. Make the service account first.")
        end = timezone.now() + timedelta(days=options["days"])
        key, text = machines.issue(user, options["name"], options["scope"], end, by=SYSTEM)
        self.stdout.write(text)
        self.stderr.write(f"Shown once. Acts as {user.get_username()}, ends {key.expires_at:%Y-%m-%d %H:%M} UTC.")

    def revoke(self, options: dict[str, Any]) -> None:
        """Accepts the bare prefix; the rest of a key is never asked for."""
        key = ApiKey.objects.filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['prefix']!r}; `manage.py apikey list` shows them.")
        machines.revoke(key, by=SYSTEM, reason=options["reason"])
        self.stdout.write(f"{key.prefix} is revoked.")

    def list(self, options: dict[str, Any]) -> None:
        """One line a key; no secret is known here."""
        for key in ApiKey.objects.select_related("user").order_by("-pk"):
            used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            terms = f"{' '.join(key.scopes)}  ends {key.expires_at:%Y-%m-%d}"
            self.stdout.write(f"{key.prefix}  {_state(key):8}  {key.user}  {key.name}  {terms}  {used}")


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at <= timezone.now() else "active"
