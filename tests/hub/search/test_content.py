"""Content search: everything that is there is found, by whoever may, within the time, and the words are not kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from hub import access, ids, resealing, retention
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, ContentSegment, Message, Resubmission
from hub.search import content, filters, indexing, walk
from tests.hub.api import rows
from tests.hub.search.conftest import JANUARY, Store, cut_all
from tests.hub.test_bodies import key

pytestmark = pytest.mark.django_db
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)


def look(words: str, by: access.Actor = access.SYSTEM, **span: Any) -> walk.Found:
    """Search January and February 2024."""
    return content.search(words, by=by, since=span.pop("since", JANUARY), until=FEBRUARY + timedelta(days=20), **span)


def test_segments_are_of_a_thousand_and_end_with_their_month(store: Store) -> None:
    """2,300 messages of January are three segments, as the month is over; February's few are not cut yet."""
    made = store(2300, FEBRUARY - timedelta(seconds=2300))
    store(10, timezone.now() - timedelta(seconds=10))
    assert cut_all() == [1000, 1000, 300]
    found = list(ContentSegment.objects.order_by("pk").values_list("pk", "high", "count"))
    assert found == [(made[0], made[999], 1000), (made[1000], made[1999], 1000), (made[2000], made[-1], 300)]
    assert (indexing.indexed(), indexing.waiting(), cut_all()) == (made[-1], False, [])


def test_a_word_is_found_in_segments_and_in_what_is_not_cut_yet(store: Store) -> None:
    """The same answer before the indexer came, when it is half way, and after."""
    made = store(1500, FEBRUARY - timedelta(seconds=1500))
    for _ in range(3):
        assert look("T777 stent").ids == [made[777]]
        assert look("T1499").ids == [made[1499]]
        assert look("T777 T778").ids == []
        assert look('"SYNTHETIC^ZZCANARY" T333').ids == [made[333]]
        indexing.step()
    assert ContentSegment.objects.count() == 2


def test_only_segments_that_may_have_it_are_opened(store: Store) -> None:
    """Of three segments the filters leave one for a word that only one message has."""
    made = store(2500, FEBRUARY - timedelta(seconds=2500))
    assert cut_all() == [1000, 1000, 500]
    spans = list(walk.spans(("t1777",), ids.floor(JANUARY), ids.floor(FEBRUARY)))
    assert made[1000] in [low for low, _ in spans]
    assert len(spans) <= 3  # that one, what comes after the last segment, and once in a while a wrong guess


def test_pages_follow_each_other_without_a_gap(store: Store) -> None:
    """Sixty at a time through 150: each once, the newest first, then it says that this was all."""
    made = store(150)
    store(50, FEBRUARY + timedelta(days=1))
    found: list[UUID] = []
    before = None
    for _ in range(4):
        page = look("stent", before=before, size=60)
        found += page.ids
        before = page.reached
    assert before is None
    assert (len(found), found[-150:]) == (200, made[::-1])


def test_the_time_bound_is_kept_and_told_and_nothing_is_left_out(store: Store) -> None:
    """With no time at all each call looks at one chunk, says how far it came, and the next goes on from there."""
    made = store(1300, FEBRUARY - timedelta(seconds=1300))
    cut_all()
    before, found, calls = None, [], 0
    while True:
        page = look("T505", before=before, budget_s=0)
        found, calls = [*found, *page.ids], calls + 1
        if page.reached is None:
            break
        assert before is None or page.reached < before
        before = page.reached
    assert found == [made[505]]
    assert calls > 2


def test_another_facilitys_messages_are_not_found(store: Store) -> None:
    """The words are there, and so is the facility's limit."""
    mine, _other = store(3, facility="RIVER"), store(3, JANUARY + timedelta(days=1), facility="NORTH")
    user = rows.user("hub.view_message", "hub.search_content", facility="RIVER")
    assert look("stent", access.person(user)).ids == mine[::-1]
    assert len(look("stent").ids) == 6


def test_it_takes_its_own_permission(store: Store) -> None:
    """Seeing raw messages is not searching them."""
    user = rows.user("hub.view_message", "hub.view_raw_message")
    with pytest.raises(NotAllowed):
        look("stent", access.person(user))
    assert not AuditEntry.objects.filter(verb="messages.search").exists()


def test_a_search_is_audited_without_its_words(store: Store) -> None:
    """Who, when, how many and a keyed hash: the same word has the same one, and the word itself stands nowhere."""
    store(2)
    look("ZZCANARY"), look("zzcanary stent")
    first, second = AuditEntry.objects.filter(verb="messages.search").order_by("pk")
    assert (first.count, first.detail["ended"]) == (2, True)
    assert first.detail["words"] == [filters.told("zzcanary")] == second.detail["words"][:1]
    assert "canary" not in f"{first.detail} {second.detail}".lower()


def test_a_search_that_ends_before_it_begins_is_refused(store: Store) -> None:
    """With a sentence, and without a look."""
    with pytest.raises(Refused) as error:
        content.search("stent", by=access.SYSTEM, since=FEBRUARY, until=JANUARY)
    assert error.value.code == "SEARCH_SPAN"


def test_an_edited_copy_that_came_late_is_found(store: Store) -> None:
    """A copy gets the id after its original's, in a segment that was cut long before."""
    made = store(1000, FEBRUARY - timedelta(seconds=1000))
    cut_all()
    copy = Message.objects.get(pk=made[500])
    copy.pk = UUID(int=made[500].int + 1)
    copy.raw = b"MSH|^~\\&|CORRECTED77\r"
    copy.save(force_insert=True)
    assert look("corrected77").ids == []  # nobody has said that there is a copy
    Resubmission.objects.create(original_id=made[500], copy_id=copy.pk, at=timezone.now())
    assert look("corrected77").ids == [copy.pk]


def test_filters_of_another_key_are_asked_with_it_and_made_anew_by_rotation(store: Store, settings: Any) -> None:
    """While both keys are in the ring both are asked; without the old one its segments are looked into; then none."""
    settings.VAULT_KEYS = [key("a")]
    made = store(1000, FEBRUARY - timedelta(seconds=1000))
    cut_all()
    settings.VAULT_KEYS = [key("b"), key("a")]
    assert look("T77").ids == [made[77]]
    assert look("nowhere99").ids == []
    assert list(resealing.messages())[-1].done == 1000
    assert list(resealing.segments()) == [1]
    settings.VAULT_KEYS = [key("b")]
    assert look("T77").ids == [made[77]]
    assert ContentSegment.objects.get().key_id == "b"


def test_what_does_not_open_holds_nobody_up_and_is_told(store: Store) -> None:
    """Two broken messages: their segment is cut, the others are found, the searcher hears how many were left out."""
    made = store(1000, FEBRUARY - timedelta(seconds=1000))
    Message.objects.filter(pk__in=made[5:7]).update(raw=b"\x00TL1broken")
    assert cut_all() == [1000]
    found = look("T777")
    assert (found.ids, found.unopened) == ([made[777]], 2)


def test_segments_leave_with_their_month(store: Store, tmp_path: Path) -> None:
    """Not archived, dropped in the same transaction; another month's stay."""
    store(1000, FEBRUARY - timedelta(seconds=1000))
    february = store(1000, FEBRUARY)
    assert cut_all() == [1000, 1000]
    archived = retention.drop(retention.Month(JANUARY), tmp_path, by=access.SYSTEM, now=timezone.now())
    assert [one.table for one in archived] == ["hub_message_2024_01", "hub_fact_2024_01", "hub_delivery_2024_01"]
    assert ContentSegment.objects.get().pk == february[0]
    assert look("T505").ids == [february[505]]


def test_the_indexer_yields_to_a_backlog(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While many messages wait for a worker no segment is cut."""
    store(1000, FEBRUARY - timedelta(seconds=1000))
    monkeypatch.setattr(indexing, "BUSY", 0)
    assert cut_all() == []
    monkeypatch.undo()
    assert cut_all() == [1000]


def test_what_is_young_is_not_cut(store: Store) -> None:
    """A message of this minute may still get a neighbour with a smaller id: it is looked at directly."""
    store(1000, timezone.now() - timedelta(seconds=170))
    assert cut_all() == []
    assert ContentSegment.objects.count() == 0
