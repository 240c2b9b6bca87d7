"""Charts as SVG, drawn on the server: pure functions, numbers in, markup out. The style sheet colours their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 1080, 180
LEFT, RIGHT, TOP, BOTTOM = 56, 4, 10, 22
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label on the axis ("" for none), and its parts from the bottom up, none of them negative."""

    label: str
    parts: tuple[Decimal, ...]


def ceiling(highest: Decimal) -> Decimal:
    """The round figure at the top of the axis: 1, 2, 2.5, 5 or 10 times a power of ten, not below the highest bar."""
    if highest <= 0:
        return Decimal(1)
    power = Decimal(10) ** highest.adjusted()
    return next(top for step in STEPS if (top := Decimal(str(step)) * power) >= highest)


def short(amount: Decimal) -> str:
    """A figure for an axis: 950, 1.2k, 3M."""
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if amount >= limit:
            return f"{(amount / limit).quantize(Decimal('0.01')).normalize():f}{letter}"
    return f"{amount.normalize():f}"


def stacked(bars: Sequence[Bar], classes: Sequence[str], *, title: str, text: str) -> SafeString:
    """Stacked bars with an axis; `title` and `text` tell those who cannot see it what it shows."""
    top = ceiling(max((sum(bar.parts, Decimal(0)) for bar in bars), default=Decimal(0)))
    inner = HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    pieces = [_axis(top, inner)]
    for place, bar in enumerate(bars):
        x, y = LEFT + place * step, float(HEIGHT - BOTTOM)
        for part, name in zip(bar.parts, classes, strict=True):
            height = float(part / top) * inner
            if height > 0:
                y -= height
                pieces.append(
                    f'<rect class="{conditional_escape(name)}" x="{x + step * 0.12:.1f}" y="{y:.1f}"'
                    f' width="{step * 0.76:.1f}" height="{height:.1f}"/>'
                )
        if bar.label:
            pieces.append(
                f'<text x="{x + step / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">'
                f"{conditional_escape(bar.label)}</text>"
            )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="chart-title chart-text">'
        '<title id="chart-title">{}</title><desc id="chart-text">{}</desc>{}</svg>',
        WIDTH, HEIGHT, title, text, mark_safe("".join(pieces)),  # noqa: S308  (numbers and escaped labels, made above)
    )  # fmt: skip


def _axis(top: Decimal, inner: int) -> str:
    lines = []
    for share in (Decimal(0), Decimal("0.5"), Decimal(1)):
        y = HEIGHT - BOTTOM - float(share) * inner
        lines.append(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(top * share)}</text>'
        )
    return "".join(lines)
