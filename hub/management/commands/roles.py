"""Make the roles' groups say what `hub.roles` says, and show what they may."""

from typing import Any

from django.core.management.base import BaseCommand

from hub import roles
from hub.access import ROLES


class Command(BaseCommand):
    """Idempotent; makes no user."""

    help = "Create the roles (groups) with their permissions. A second run changes nothing."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for role, new in roles.apply().items():
            count = len(roles.PERMISSIONS[role])
            self.stdout.write(f"{role:<15} {ROLES[role]:<22} {count:>3} permissions, {new} of them new")
