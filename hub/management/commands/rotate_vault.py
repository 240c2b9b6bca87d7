"""Seal everything with the first key of the ring, so that older keys can be taken out of it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hub import access, audit, resealing, vault
from hub.models import Endpoint, Webhook


class Command(BaseCommand):
    """Idempotent: what the first key sealed already stays as it is. What does not open is named and kept."""

    help = (
        "Seal the secrets of endpoints and webhooks, messages and search filters with the first key of"
        " THROUGHLINE_VAULT_KEYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to leave out, and where to go on."""
        parser.add_argument("--secrets-only", action="store_true", help="leave messages and filters as they are")
        parser.add_argument("--after", default="", help="go on after this message id, as the last run printed it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Secrets, then messages, then filters."""
        failed = self._secrets()
        if not options["secrets_only"]:
            failed += self._messages(options["after"])
            for done in resealing.segments():
                self.stdout.write(f"search: {done:,} segments made anew")
        if failed:
            raise CommandError(f"{len(failed)} could not be opened: {', '.join(failed[:20])}. Keep the old keys.")

    def _secrets(self) -> list[str]:
        failed = []
        codes = Endpoint.objects.exclude(secret="").order_by("code").values_list("code", flat=True)
        for code in codes:
            try:
                self.stdout.write(f"{code}: {self._rotate(code)}")
            except vault.VaultError as error:
                failed.append(code)
                self.stderr.write(f"{code}: {error.text}")
        for pk, name in Webhook.objects.exclude(secret="").order_by("name").values_list("pk", "name"):
            try:
                self.stdout.write(f"webhook {name}: {self._rotate_webhook(pk)}")
            except vault.VaultError as error:
                failed.append(name)
                self.stderr.write(f"webhook {name}: {error.text}")
        return failed

    def _messages(self, after: str) -> list[str]:
        failed: list[str] = []
        for progress in resealing.messages(after):
            failed += map(str, progress.failed)
            for id_ in progress.failed:
                self.stderr.write(f"message {id_} does not open")
            self.stdout.write(f"messages: {progress.done:,} sealed anew; go on with --after {progress.last}")
        return failed

    @transaction.atomic
    def _rotate(self, code: str) -> str:
        endpoint = Endpoint.objects.select_for_update().get(code=code)
        if not endpoint.secret or not vault.stale(endpoint.secret):
            return "is sealed with the first key"
        sealed = vault.seal(vault.open_(endpoint.secret))
        # No history row: what staff see of the endpoint did not change, and history never holds secrets.
        Endpoint.objects.filter(pk=endpoint.pk).update(secret=sealed)
        audit.record("vault.rotate", by=access.SYSTEM, subject=endpoint)
        return "sealed anew"

    @transaction.atomic
    def _rotate_webhook(self, pk: int) -> str:
        webhook = Webhook.objects.select_for_update().get(pk=pk)
        if not any(one and vault.stale(one) for one in (webhook.secret, webhook.old_secret)):
            return "is sealed with the first key"
        sealed = [one and vault.seal(vault.open_(one)) for one in (webhook.secret, webhook.old_secret)]
        # As above: nothing that staff see has changed.
        Webhook.objects.filter(pk=pk).update(secret=sealed[0], old_secret=sealed[1])
        audit.record("vault.rotate", by=access.SYSTEM, subject=webhook)
        return "sealed anew"
