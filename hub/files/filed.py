"""The rows of files: looked up, settled, told of in cases."""

from django.db import transaction
from django.utils import timezone

from hub import access, audit, cases
from hub.models import Endpoint, InboundFile
from hub.models.states import advance

OWNER = "integration"
CODES = ("IF_FILE", "IF_FILE_CHANGED")
TAKEN = ("loaded", "reading")


def shown(name: str) -> str:
    """A file's name as a text column can keep it: a name may be bytes that are no text."""
    return name.encode("utf-8", "backslashreplace").decode()[:400]


def known(endpoint: Endpoint, name: str, digest: bytes | None) -> InboundFile | None:
    """The row of this name and content. What was never read is the same file only until it was put away."""
    found = InboundFile.objects.filter(endpoint=endpoint, name=shown(name))
    if digest is None:
        return found.filter(sha256=None, lies_in="").order_by("pk").last()
    return found.filter(sha256=digest).first()


def of_content(endpoint: Endpoint, digest: bytes | None) -> InboundFile | None:
    """The file that this content was taken from before, under whatever name."""
    return InboundFile.objects.filter(endpoint=endpoint, sha256=digest, status__in=TAKEN).order_by("pk").first()


def of_name(endpoint: Endpoint, name: str) -> InboundFile | None:
    """The newest file that was taken under this name."""
    return InboundFile.objects.filter(endpoint=endpoint, name=shown(name), status__in=TAKEN).order_by("pk").last()


def again(row: InboundFile) -> None:
    """The same name and content came once more. What was quarantined is tried again: somebody put it back."""
    row.times, row.last_seen_at, row.lies_in = row.times + 1, timezone.now(), ""
    row.save(update_fields=["times", "last_seen_at", "lies_in"])
    if row.status == "quarantined" and row.sha256 is not None:
        advance(row, "reading", rows=None, handed=0, known=0, refused=0, attempts=0, settled_at=None)
        audit.record("files.retry", by=access.SYSTEM, subject=row)


def quarantine(row: InboundFile, code: str, problem: str) -> None:
    """Nothing more of it is loaded; a person reads why."""
    with transaction.atomic():
        advance(row, "quarantined", problem_code=code, problem=problem, settled_at=timezone.now())
        tell(row)


def cured(row: InboundFile) -> None:
    """It was loaded after all."""
    for code in CODES:
        cases.close(code, [subject(row)], reason="The file was put back and loaded.", by=access.SYSTEM)


def tell(row: InboundFile) -> None:
    """Open the case of a file that is not loaded."""
    if row.status not in NEXT:
        return
    code, title = NEXT[row.status]
    loaded = f" {row.handed} of its {row.rows} messages were stored before." if row.handed else ""
    case = cases.NewCase(
        code=code, subject=subject(row), title=f"{title} at {row.endpoint.name}", owner=OWNER, severity=2,
        text=f"{row.name}: {row.problem}{loaded} {WHAT_TO_DO[row.status]}", facility=row.endpoint.facility,
        partner=row.endpoint.partner.code, data={"file": str(row.pk), "endpoint": row.endpoint.code},
    )  # fmt: skip
    cases.open_many([case], by=access.SYSTEM)


NEXT = {
    "quarantined": ("IF_FILE", "A file was not loaded"),
    "name_taken": ("IF_FILE_CHANGED", "A known file name came again"),
}
WHAT_TO_DO = {
    "quarantined": "It lies in quarantine/ with the reason beside it. Ask the sender for a whole file; or correct the "
    "endpoint's settings and move the file back into the folder: it is tried again.",
    "name_taken": "It lies in quarantine/ and nothing of it was loaded. Is it a new file? Move it back under a new "
    "name. Does this sender always use one name? Set same_name to load, then move it back under a new name.",
}


def subject(row: InboundFile) -> str:
    """What its case is about."""
    return f"file:{row.pk}"
