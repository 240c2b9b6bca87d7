"""Measures what `benchmarks.search_fill` filled: the pages and searches of a person, one after the other.

Server time: from the request in Django's handler to its answer, without network and browser. One JSON object.
"""

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import django
from django.test import Client
from django.utils import timezone

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from hub import access, bulk, ids, partitions, retention  # noqa: E402
from hub.models import ExceptionCase, FacilityGrant, Message  # noqa: E402
from hub.search import content  # noqa: E402
from hub.search.walk import PAGE  # noqa: E402

TURNS, SEARCHES = 40, 10
KEYS = {
    "key": "key", "control_id": "control_id", "correlation_id": "id::text", "account": "key",
    "charge": "control_id || 'A'", "order": "'ORD' || right(control_id, 8)::int",
    "item": "'ITM' || lpad(mod(right(control_id, 8)::int, 5000)::text, 5, '0')",
}  # fmt: skip
DISK = "SELECT pg_database_size(current_database())"


def timed(act: Callable[[], Any]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def told(name: str, times: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and the longest."""
    cut = statistics.quantiles(times, n=20, method="inclusive")
    return {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": cut[18], f"{name}_max_ms": max(times)}


def client() -> Client:
    """A superuser who sees all facilities."""
    user = User.objects.create_superuser("bench", password=None)
    FacilityGrant.objects.create(user=user, facility=access.ALL)
    made = Client(headers={"host": "localhost"})
    made.force_login(user)
    return made


def get(web: Client, path: str) -> Callable[[], None]:
    """One request, which has to succeed."""

    def act() -> None:
        answer = web.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:300]!r}")

    return act


def sample(months: Sequence[retention.Month], count: int, column: str = "id::text", where: str = "true") -> list[str]:
    """A value of so many messages, each somewhere in one of the months."""
    chance, found = random.Random(7), list[str]()
    while len(found) < count:
        month = chance.choice(months)
        at = month.start + timedelta(seconds=chance.randrange(20 * 86_400))
        rows = bulk.fetch(
            f"SELECT {column} FROM hub_message WHERE id >= %s AND {where} ORDER BY id LIMIT 1", [ids.floor(at)]
        )
        found += [value for (value,) in rows]
    return found


def pages(web: Client, months: Sequence[retention.Month]) -> dict[str, float]:
    """Lists at their top and deep inside, and the page of single messages."""
    deep = sample(months, TURNS)
    caused = sample(months, TURNS, where="lane IN (0, 5, 10)")
    return {
        **told("message_list", [timed(get(web, "/hub/message/?when=all")) for _ in range(TURNS)]),
        **told("message_list_deep", [timed(get(web, f"/hub/message/?when=all&older={id_}")) for id_ in deep]),
        **told("case_list", [timed(get(web, "/hub/exceptioncase/")) for _ in range(TURNS)]),
        **told("lineage_page", [timed(get(web, f"/hub/message/{id_}/change/")) for id_ in caused]),
    }


def keys(web: Client, months: Sequence[retention.Month]) -> dict[str, float]:
    """Every business key through the API, and the list's search box with accounts."""
    figures: dict[str, float] = {}
    for name, column in KEYS.items():
        values = sample(months, TURNS, column, "lane IN (0, 5, 10)")
        path = f"/api/v1/messages/find?by={name}&value="
        figures |= told(f"find_{name}", [timed(get(web, path + value)) for value in values])
    boxed = [timed(get(web, f"/hub/message/?q={value}")) for value in sample(months, TURNS, "key")]
    return figures | told("search_box_account", boxed)


def inside(months: Sequence[retention.Month]) -> dict[str, float]:
    """Content search of a whole month: a word of one message, a pair of names, a word that is nowhere."""
    figures: dict[str, float] = {}
    kinds = {"one": sample(months, SEARCHES, "'MRN' || key"), "names": ["anderson cargman"] * SEARCHES,
             "nowhere": [f"nobody{n}" for n in range(SEARCHES)]}  # fmt: skip
    for name, words in kinds.items():
        times = []
        for turn, asked in enumerate(words):
            month = months[turn % len(months)]
            times.append(timed(lambda asked=asked, month=month: through(asked, month)))
        figures |= told(f"content_month_{name}", times)
    return figures


def through(asked: str, month: retention.Month) -> None:
    """The whole month, slice by slice, until a page is full or all of it was searched."""
    before = None
    while True:
        end = partitions.month_after(month.start)
        found = content.search(asked, by=access.SYSTEM, since=month.start, until=end, before=before)
        before = found.reached
        if before is None or len(found.ids) == PAGE:
            return


def drop(month: retention.Month) -> dict[str, float]:
    """The transaction in which a month leaves: locks, the last look at what is open, detach and drop. No archive."""
    tables = [month.table(parent) for parent in (*partitions.TABLES, *partitions.DERIVED)]
    ((before,),) = bulk.fetch(DISK)

    def leave() -> None:
        with transaction.atomic():
            for table in tables:
                retention._lock(table)
            if found := retention.obstacles(month):
                raise RuntimeError(f"{month.name} has {found}")
            for table in tables:
                retention._drop(table)

    took = timed(leave)
    ((after,),) = bulk.fetch(DISK)
    return {"drop_month_ms": took, "drop_month_freed_mb": (before - after) / 1e6}


def cases(count: int) -> None:
    """So many closed cases and a hundredth of them open."""
    now = timezone.now()
    ExceptionCase.objects.bulk_create(
        ExceptionCase(
            code="MAP_MISSING", subject=f"bench:{number}", title=f"Case {number}", owner="integration",
            status="resolved" if number % 100 else "open", opened_at=now - timedelta(minutes=number),
            last_seen_at=now, closed_at=now if number % 100 else None, facility="RIVER",
        )
        for number in range(count)
    )  # fmt: skip


def main() -> None:
    """Prints the figures."""
    filled = [month for month in retention.months() if month.start < timezone.now()]
    cases(20_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    web = client()
    get(web, "/hub/message/")()  # whatever is loaded once
    figures = {**pages(web, filled), **keys(web, filled), **inside(filled)}
    figures["disk_mb"] = bulk.fetch(DISK)[0][0] / 1e6
    figures["messages_estimated"] = float(
        bulk.fetch("SELECT sum(reltuples) FROM pg_class WHERE relname LIKE 'hub_message_2%%' AND relkind = 'r'")[0][0]
    )
    figures["segments_mb"] = bulk.fetch("SELECT sum(length(filter)) FROM hub_contentsegment")[0][0] / 1e6
    figures |= drop(filled[0])
    if Message.objects.filter(pk__lt=ids.floor(partitions.month_after(filled[0].start))).exists():
        raise RuntimeError("the month is still there")
    print(json.dumps({name: round(float(value), 1) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
