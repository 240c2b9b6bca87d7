"""Django's entry to the hub: it discovers every app's routes, invariants and finders, as the admin does `admin.py`."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from hub import logs, roles, tracing


class HubConfig(AppConfig):
    """The carrier."""

    name = "hub"
    verbose_name = "Carrier"

    def ready(self) -> None:
        logs.configure()
        tracing.configure()
        post_migrate.connect(roles.after_migrate)
        autodiscover_modules("routes", "invariants", "finders")


class AdminConfig(admin_apps.AdminConfig):
    """contrib.admin with our own site."""

    default_site = "hub.adminsite.ThroughlineSite"
