"""The daily digest: once a day for each recipient, never twice, nothing left out in between; and the disks' rule."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from hub.alerts import digests, sensors
from hub.models import AlertEpisode, AlertRule, Digest
from tests.hub.test_alerts import door, rule

__all__ = ["door"]
pytestmark = pytest.mark.django_db
MORNING = timezone.localtime(timezone.now()).replace(hour=7, minute=1, second=0, microsecond=0)
INES, OMAR = "ines@hospital.example", "omar@hospital.example"


@pytest.fixture(autouse=True)
def _seven(settings: Any) -> None:
    """From seven on."""
    settings.DIGEST_HOUR = 7
    AlertRule.objects.all().update(active=False)


def episode(made: AlertRule, subject: str, began: datetime, ended: datetime | None = None) -> AlertEpisode:
    """A stretch of time in which the rule's condition held."""
    return AlertEpisode.objects.create(
        rule=made,
        subject=subject,
        text=f"It is about {subject}.",
        value=1,
        began_at=began,
        seen_at=began,
        ended_at=ended,
    )


def test_a_digest_tells_what_lasts_and_what_was_over_once_a_day(mailoutbox: list[Any]) -> None:
    """One mail, whoever looks and how often; the next day's tells only what is new, and what still lasts."""
    looked = rule("backlog", mail_to="", digest_to=INES)
    episode(looked, "lab", MORNING - timedelta(hours=5))
    episode(looked, "billing", MORNING - timedelta(hours=4), MORNING - timedelta(hours=3))
    assert digests.tell(MORNING - timedelta(minutes=2)) == 0  # before seven
    assert [digests.tell(MORNING + timedelta(minutes=5 * n)) for n in range(4)] == [1, 0, 0, 0]
    (mail,) = mailoutbox
    assert mail.to == [INES]
    assert mail.subject == f"[Throughline] {MORNING.date()}: 1 alert open"
    assert "2 began and 1 ended so far. 1 lasts now." in mail.body
    assert "our backlog: It is about lab." in mail.body
    assert "for 1 h  our backlog: billing" in mail.body

    episode(looked, "pharmacy", MORNING + timedelta(hours=2), MORNING + timedelta(hours=4))
    tomorrow = MORNING + timedelta(days=1)
    assert [digests.tell(tomorrow), digests.tell(tomorrow)] == [1, 0]
    body = mailoutbox[1].body
    assert "1 began and 1 ended since" in body
    assert ("lab" in body, "pharmacy" in body, "billing" in body) == (True, True, False)
    counted = Digest.objects.order_by("day").values_list("open", "began", "ended")
    assert list(counted) == [(1, 2, 1), (1, 1, 1)]


def test_each_recipient_gets_their_own_rules_and_nobody_anothers(mailoutbox: list[Any]) -> None:
    """Two rules, two people: each mail holds what its recipient asked for. A quiet day is told, too."""
    episode(rule("backlog", mail_to="", digest_to=f"{INES}\n{OMAR}"), "lab", MORNING - timedelta(hours=1))
    episode(rule("circuit", mail_to="", digest_to=OMAR), "summit", MORNING - timedelta(hours=1))
    rule("case_age", mail_to="", digest_to="quiet@hospital.example")
    assert digests.tell(MORNING) == 3
    bodies = {mail.to[0]: mail.body for mail in mailoutbox}
    assert ("lab" in bodies[INES], "summit" in bodies[INES]) == (True, False)
    assert ("lab" in bodies[OMAR], "summit" in bodies[OMAR]) == (True, True)
    assert "Nothing lasts now." in bodies["quiet@hospital.example"]


class Refusing(EmailBackend):
    """A mail server that cannot be reached while `away`, or breaks off in the middle of a mail while `cut`."""

    away = cut = False

    def open(self) -> bool:
        """Connect."""
        if Refusing.away:
            raise ConnectionRefusedError
        return True

    def send_messages(self, messages: Any) -> int:
        """Take a mail, and perhaps lose the connection before saying so."""
        taken = int(super().send_messages(messages))
        if Refusing.cut:
            raise ConnectionResetError
        return taken


def test_a_mail_server_that_is_away_gets_it_later_on_the_same_day(mailoutbox: list[Any], settings: Any) -> None:
    """The row says that it was not sent yet; once the server is there it is sent, once."""
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    rule("backlog", mail_to="", digest_to=INES)
    Refusing.away, Refusing.cut = True, False
    assert digests.tell(MORNING) == 0
    assert Digest.objects.get().problem.startswith("Not sent yet: ConnectionRefusedError")
    Refusing.away = False
    assert [digests.tell(MORNING + timedelta(minutes=5 * n)) for n in (1, 2)] == [1, 0]
    assert (len(mailoutbox), Digest.objects.get().problem) == (1, "")


def test_what_may_have_been_sent_is_not_sent_twice_and_the_next_one_covers_it(
    mailoutbox: list[Any], settings: Any
) -> None:
    """The connection breaks after the mail was taken: no second mail that day; the next goes back to the last sent."""
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    looked = rule("backlog", mail_to="", digest_to=INES)
    Refusing.away, Refusing.cut = False, True
    episode(looked, "lab", MORNING - timedelta(hours=2), MORNING - timedelta(hours=1))
    assert [digests.tell(MORNING + timedelta(minutes=5 * n)) for n in range(3)] == [0, 0, 0]
    assert len(mailoutbox) == 1
    assert "not sent again" in Digest.objects.get().problem
    Refusing.cut = False
    assert digests.tell(MORNING + timedelta(days=1)) == 1
    assert "lab" in mailoutbox[1].body


def test_R_C7_a_worker_that_died_with_the_day_in_hand_leaves_it_out_and_loses_nothing(mailoutbox: list[Any]) -> None:
    """Nobody sends that day again; the next day's mail covers both."""
    looked = rule("backlog", mail_to="", digest_to=INES)
    episode(looked, "lab", MORNING - timedelta(hours=2), MORNING - timedelta(hours=1))
    Digest.objects.create(recipient=INES, day=MORNING.date(), until=MORNING, taken_at=MORNING)
    assert digests.tell(MORNING) == 0
    assert digests.tell(MORNING + timedelta(days=1)) == 1
    assert "lab" in mailoutbox[0].body


def test_a_disk_is_told_when_it_has_little_left_and_when_nobody_can_look(tmp_path: Any, settings: Any) -> None:
    """Free space is compared with the threshold; a folder that is not there is told as full."""
    settings.DISK_PATHS, settings.ARCHIVE_FOLDER = [str(tmp_path)], ""
    looked = rule("disk", threshold=0)
    assert sensors.readings(looked, MORNING) == []
    looked.threshold = 100
    (found,) = sensors.readings(looked, MORNING)
    assert found.subject == str(tmp_path)
    assert 0 < found.value <= 100
    settings.ARCHIVE_FOLDER = str(tmp_path / "gone")
    looked.threshold = 0
    (gone,) = sensors.readings(looked, MORNING)
    assert (gone.value, "cannot be looked at" in gone.text) == (0.0, True)
