"""Verdicts: what a nightly run found becomes one case for each broken invariant; a clean run closes it."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from hub import access, cases, verification
from hub.models import ExceptionCase
from hub.verification import DAYS, Verdict

log = structlog.get_logger(__name__)
CODE = "INVARIANT"
NAMED = 10  # rows of each check that the case's text names; `manage.py verify --only` names more


def watch(invariant: str) -> bool:
    """Check one invariant; open its case, or close it where a run that looked at something found nothing wrong.

    While its case is open, rows are looked at from before it was opened: what is wrong stays wrong with age. Returns
    whether all is well. Harmless when called twice: one invariant has one open case.
    """
    found = verification.run(_span(invariant), only=[invariant])
    failed = [verdict for verdict in found if verdict.failed]
    log.info("invariant_checked", invariant=invariant, checked=sum(one.checked for one in found), failed=len(failed))
    if failed:
        cases.open_many([_case(invariant, failed)], by=access.SYSTEM)
    elif any(verdict.checked for verdict in found):
        cases.close(CODE, [_subject(invariant)], reason="A later run found nothing wrong.", by=access.SYSTEM)
    return not failed


def _span(invariant: str) -> verification.Span:
    about = ExceptionCase.objects.filter(code=CODE, subject=_subject(invariant), status__in=cases.OPEN)
    opened = about.values_list("opened_at", flat=True).first()
    return verification.span(opened - timedelta(days=DAYS) if opened else None)


def _subject(invariant: str) -> str:
    return f"invariant:{invariant}"


def _case(invariant: str, failed: Sequence[Verdict]) -> cases.NewCase:
    broken = sum(len(verdict.violations) for verdict in failed)
    what = f"{broken} rows break it" if broken else "it could not be checked"
    owners = [verdict.check.owner for verdict in failed if verdict.violations]
    return cases.NewCase(
        code=CODE, subject=_subject(invariant), title=f"{invariant} does not hold: {what}", severity=1 if broken else 2,
        text="\n".join(line for verdict in failed for line in _told(verdict))
        + f"\nNothing was changed. `manage.py verify --only {invariant} --all` lists all of it.",
        owner="finance" if "finance" in owners else "integration", data={"invariant": invariant},
    )  # fmt: skip


def _told(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.check.says} This does not hold:" if verdict.violations else f"{verdict.check.says}"]
    if verdict.problem:
        lines.append(f"- it could not be checked: {verdict.problem}")
    for subject, text, amount in verdict.violations[:NAMED]:
        lines.append(f"- {subject}: {text}" + ("" if amount is None else f" ({amount})"))
    if len(verdict.violations) > NAMED:
        lines.append(f"- and {len(verdict.violations) - NAMED} more")
    return lines
