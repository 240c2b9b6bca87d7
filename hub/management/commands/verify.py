"""`manage.py verify`: is everything that was promised still true? Looks at rows and changes none."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from hub import verification
from hub.errors import HubError
from hub.verification import SHOWN, Verdict

WORDS = {"ok": "ok", "nothing": "nothing to check", "violated": "VIOLATED", "unfinished": "COULD NOT BE CHECKED"}


class Command(BaseCommand):
    """Check the invariants; exit code 1 where one is violated or could not be checked."""

    help = "Check the invariants of docs/operating/verify.md. Exit code 1 where one fails."

    def add_arguments(self, parser: CommandParser) -> None:
        """How far back, which ones, and whether partners are asked."""
        reach = parser.add_mutually_exclusive_group()
        reach.add_argument("--since", help='rows made since then: a day or moment, or "2h", "7d" (default: 3d)')
        reach.add_argument("--all", action="store_true", help="all rows that are kept, however old")
        parser.add_argument("--erp", action="store_true", help="ask the ERPs for their balances, too")
        parser.add_argument("--only", action="append", default=[], help="INV-4; may be repeated")
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each invariant (%(default)s)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run, tell, and end with the right code."""
        span = verification.span(moment(options["since"]), everything=options["all"])
        try:
            verdicts = verification.run(span, only=options["only"], outside=options["erp"], budget_s=options["timeout"])
        except HubError as error:
            raise CommandError(error.text) from error
        self.stdout.write(json.dumps(document(verdicts), indent=2, default=str) if options["json"] else told(verdicts))
        failed = sorted({one.check.invariant for one in verdicts if one.failed}, key=verification.number)
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}")


def moment(text: str | None) -> datetime | None:
    """ "2026-11-22", "2026-11-22T08:00:00Z", "36h" or "7d" as a moment; None for None."""
    if text is None:
        return None
    units = {"h": "hours", "d": "days"}
    if text[:-1].isdigit() and text[-1:] in units:
        return timezone.now() - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001  (made aware below)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is no moment. Write 2026-11-22, 2026-11-22T08:00:00Z, 36h or 7d.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def told(verdicts: list[Verdict]) -> str:
    """The verdicts for people: one line a check, what is wrong below it."""
    lines = []
    for one in verdicts:
        number = f"{one.checked:,} checked, " if one.checked else ""
        lines.append(f"{one.check.invariant:7} {one.check.name:22} {number}{WORDS[one.state]}: {one.check.says}")
        if one.problem:
            lines.append(f"        {one.problem}")
        for broken in one.violations[:SHOWN]:
            amount = "" if broken.amount is None else f" ({broken.amount})"
            lines.append(f"        {broken.subject}: {broken.what}{amount}")
        if len(one.violations) > SHOWN:
            lines.append(f"        and more than these {SHOWN}")
    return "\n".join(lines)


def document(verdicts: list[Verdict]) -> dict[str, Any]:
    """The verdicts for programs."""
    return {
        "checks": [
            {
                "invariant": one.check.invariant, "name": one.check.name, "says": one.check.says, "state": one.state,
                "checked": one.checked, "seconds": round(one.seconds, 3), "problem": one.problem,
                "violations": [broken._asdict() for broken in one.violations],
            }
            for one in verdicts
        ],
        "invariants": len({one.check.invariant for one in verdicts}),
        "failed": sorted({one.check.invariant for one in verdicts if one.failed}, key=verification.number),
    }  # fmt: skip
