"""A real browser against a real server, for what only a browser can tell: layout, keyboard, contrast, policy."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from hub import outbox, pipeline, roles, tasks
from hub.models import Endpoint, FacilityGrant
from tests import world
from tests.hub.admin.conftest import MESSAGES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
# Playwright keeps an event loop in this thread, which Django would mistake for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests; skipped by name where none is installed."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def traffic(transactional_db: None, settings: Any) -> Endpoint:
    """Four messages came in; two lines wait for the unmapped department CATHLAB2."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    roles.apply()
    world.masters()
    door = world.billing()
    tasks.ensure_lanes()
    assert world.receive(*MESSAGES) == ["AA"] * 4
    pipeline.drain()
    outbox.drain()
    return door


@pytest.fixture
def enter(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser window of somebody with a role, logged in; anything its console complains of fails the test."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def make(role: str, *, width: int = 1440, scheme: str = "light", scripts: bool = True) -> BrowserContext:
        user, new = User.objects.get_or_create(username=f"the.{role}", defaults={"is_staff": True})
        if new:
            user.set_password("correct horse battery")
            user.save()
            user.groups.add(Group.objects.get(name=role))
            FacilityGrant.objects.create(user=user, facility="*")
        client = Client()
        client.force_login(user)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts,  # type: ignore[arg-type]
            base_url=live_server.url,
        )  # fmt: skip
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
        context.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert complaints == []
