"""The admin site: contrib.admin with our own index, sidebar and theme."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from hub import dashboard, navigation, pages
from hub.viewer import viewer


class ThroughlineSite(admin.AdminSite):
    """Staff's way in."""

    site_header = "Throughline"
    site_title = "Throughline"
    index_title = "Today"
    site_url = None
    enable_nav_sidebar = False  # Django's own; ours is in the base template

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Ours first: the last of Django's catches everything."""
        ours = [path(page.path, self.admin_view(page.view), name=page.name) for page in pages.pages]
        return [path("setup/", self.admin_view(self.setup), name="setup"), *ours, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the frame of every page needs; nothing for those who are not in yet."""
        context = super().each_context(request)
        if context["has_permission"]:
            who = viewer(request)
            context |= {"sidebar": navigation.build(who), "tabs": navigation.tabs(who)}
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What came in today, what it is worth, and what needs a person."""
        context = {
            **self.each_context(request),
            "title": "Today",
            "panels": dashboard.build(viewer(request)),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/index.html", context)

    def setup(self, request: HttpRequest) -> HttpResponse:
        """Everything that is set up once: systems, words, people."""
        who = viewer(request)
        shelves = [(name, navigation.visible(links, who)) for name, links in navigation.shelves.items()]
        context = {
            **self.each_context(request),
            "title": "Set-up",
            "shelves": [
                (name, [(link, reverse(link.url)) for link in links]) for name, links in shelves if links
            ],
        }  # fmt: skip
        return TemplateResponse(request, "admin/setup.html", context)

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's page per app tells a reader nothing; the set-up page stands in its place."""
        return HttpResponseRedirect(reverse("admin:setup"))
