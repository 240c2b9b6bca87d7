"""Template words of the theme."""

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from hub import shapes

register = template.Library()
register.filter("stamp", shapes.stamp)
register.filter("ago", shapes.ago)
register.filter("code", shapes.code)

# Drawn for this project on a 24 x 24 grid with one line width.
ICONS = {
    "brand": "M3 12h5l3-7 3 14 3-7h4",
    "today": "M4 13h4v7H4zM10 8h4v12h-4zM16 4h4v16h-4z",
    "cases": "M12 4 2.5 20h19zM12 10v5M12 17.5v.5",
    "charges": "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
    "journals": "M5 4h14v16H5zM9 4v16M12.5 9H16M12.5 13H16",
    "messages": "M3 6h18v12H3zM3 7l9 7 9-7",
    "deliveries": "M3 12h14M12 6l6 6-6 6M21 5v14",
    "mappings": "M4 7h9M10 4l3 3-3 3M20 17h-9M14 14l-3 3 3 3",
    "setup": "M4 7h10M18 7h2M4 17h2M10 17h10M16 4v6M8 14v6",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sidebar; decoration only."""
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>', ICONS[name])


@register.simple_tag
def money(amount: Decimal | None, currency: str = "USD") -> SafeString:
    """An amount with its currency."""
    return shapes.money(amount, currency)


@register.simple_tag
def pill(status: str, label: str = "") -> SafeString:
    """A status as shape and word."""
    return shapes.pill(status, label)


@register.filter
def plural(number: int, words: str) -> str:
    """`{{ 3|plural:"line" }}` is "3 lines"; irregular ones are given as "entry,entries"."""
    one, _, many = words.partition(",")
    return shapes.count(number, one, many)


@register.filter
def safe_svg(drawing: Any) -> SafeString:
    """A chart of `hub.charts`: it is SVG that we wrote, numbers and escaped labels only."""
    return mark_safe(drawing)  # noqa: S308
