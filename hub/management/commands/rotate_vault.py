"""Seal all secrets with the first key of the ring, so that older keys can be taken out of it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hub import access, audit, vault
from hub.models import Endpoint, Webhook


class Command(BaseCommand):
    """Idempotent: what the first key sealed already stays as it is. A secret that does not open is named and kept."""

    help = "Seal the secrets of all endpoints and webhooks with the first key of THROUGHLINE_VAULT_KEYS."

    def handle(self, *_args: Any, **_options: Any) -> None:
        codes = Endpoint.objects.exclude(secret="").order_by("code").values_list("code", flat=True)
        failed = []
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
        if failed:
            raise CommandError(f"{len(failed)} secrets could not be opened: {', '.join(failed)}. Keep the old keys.")

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
