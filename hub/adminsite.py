"""The admin site: contrib.admin with our own index and theme."""

from django.contrib import admin


class ThroughlineSite(admin.AdminSite):
    """Staff's way in."""

    site_header = "Throughline"
    site_title = "Throughline"
