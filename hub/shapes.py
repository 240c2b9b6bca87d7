"""How values look on a page: money, moments, statuses. Values in, safe HTML out; nothing here touches a row."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

# What a status asks of the reader: ok (done), wait (moves by itself), hold (a person acts), bad (stopped), off (over).
TONES = {
    "received": "wait", "held": "hold", "stopped": "bad", "blocked": "hold", "applied": "ok", "skipped": "off",
    "refused": "bad", "waived": "off", "pending": "wait", "sending": "wait", "delivered": "ok", "waiting": "wait",
    "in_doubt": "hold", "rejected": "bad", "captured": "wait", "posted": "ok", "duplicate": "off", "posting": "wait",
    "open": "hold", "assigned": "wait", "resolved": "ok", "superseded": "off", "proposed": "hold", "approved": "ok",
    "retired": "off", "closed": "off", "future": "off", "active": "ok", "inactive": "off", "paused": "hold",
    "quiet": "hold", "talking": "ok", "critical": "bad", "high": "hold", "normal": "off", "revoked": "off",
    "expired": "off", "new": "ok", "changed": "ok", "same": "off", "overlapping": "hold", "bad": "bad",
    "given_up": "bad", "circuit_open": "bad", "circuit_half_open": "wait",
    "in_house": "wait", "discharged": "ok", "final_billed": "ok", "cancelled": "off", "merged": "off",
    "planned": "hold", "waiting_approval": "hold", "running": "wait", "done": "ok", "moving": "wait",
    "failed": "bad", "replaced": "off", "draining": "wait", "drained": "hold",
    "reading": "wait", "loaded": "ok", "name_taken": "hold", "quarantined": "bad",
}  # fmt: skip
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
MINUTE, HOUR, DAY = 60, 3600, 86_400
ZERO = Decimal(0)
NOTHING = SafeString('<span class="faint">–</span>')


def figure(amount: Decimal, currency: str = "USD") -> str:
    """An amount as text: two decimals, four only where the sub-cent part is real, so that sums stay true on screen."""
    places = 2 if amount == amount.quantize(Decimal("0.01")) else 4
    sign = SIGNS.get(currency)
    text = f"{abs(amount):,.{places}f}"
    return ("−" if amount < 0 else "") + (f"{sign}{text}" if sign else f"{text} {currency}")


def money(amount: Decimal | None, currency: str = "USD") -> SafeString:
    """An amount for a table cell; negative ones are marked by sign and colour."""
    if amount is None:
        return NOTHING
    negative = "negative" if amount < 0 else "amount"
    return format_html('<span class="{}">{}</span>', negative, figure(amount, currency))


def pill(status: str, label: str = "") -> SafeString:
    """A status as a shape and a word."""
    return format_html('<span class="pill {}">{}</span>', TONES.get(status, "off"), label or status.replace("_", " "))


def code(value: Any) -> SafeString:
    """A code or an id in the fixed-width face."""
    return format_html('<span class="code">{}</span>', value) if value not in ("", None) else NOTHING


def clock(moment: datetime, now: datetime | None = None) -> str:
    """A moment as staff say it: the time today, the day before it on other days."""
    here = timezone.localtime(moment)
    today = timezone.localtime(now or timezone.now())
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    return f"{here.day} {here:%b %H:%M}" if here.year == today.year else f"{here.day} {here:%b %Y %H:%M}"


def stamp(moment: datetime | None) -> SafeString:
    """A moment with its exact value for machines and on hover."""
    if not moment:
        return NOTHING
    exact = timezone.localtime(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', exact.isoformat(), exact, clock(moment))


def age(span: timedelta) -> str:
    """A time span in the largest unit that says something."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR} h"
    return f"{seconds // DAY} days"


def ago(moment: datetime | None) -> SafeString:
    """How long since a moment, with the moment itself on hover."""
    if not moment:
        return NOTHING
    exact = timezone.localtime(moment)
    text = age(timezone.now() - moment)
    return format_html('<time datetime="{}" title="{}">{} ago</time>', exact.isoformat(), exact, text)


def count(number: int, one: str, many: str = "") -> str:
    """ "1 line", "40 lines"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def link(url_name: str, key: Any, label: str = "") -> SafeString:
    """A link to another row's page, or a dash where there is none."""
    if not key:
        return NOTHING
    return format_html('<a href="{}" class="code">{}</a>', reverse(url_name, args=[key]), label or key)
