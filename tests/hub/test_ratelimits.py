"""The bucket of calls: what it grants, and that all senders share it."""

import pytest
from django.db import transaction

from hub import ratelimits
from hub.models import Bucket, Endpoint, Partner
from tests.races.kit import at_once

# per minute, burst, tokens, elapsed, wanted -> granted, left, wait
TABLE = [
    ((60, 10, 10.0, 0.0, 3), (3, 7.0, 0.0)),
    ((60, 10, 10.0, 0.0, 25), (10, 0.0, 1.0)),
    ((60, 10, 0.0, 0.5, 1), (0, 0.5, 0.5)),
    ((60, 10, 0.0, 4.0, 9), (4, 0.0, 1.0)),
    ((60, 10, 2.0, 3600.0, 50), (10, 0.0, 1.0)),  # a quiet hour fills it once
    ((6, 1, 0.0, 0.0, 1), (0, 0.0, 10.0)),
    ((60, 2, 10.0, 0.0, 5), (2, 0.0, 1.0)),  # the burst was lowered
    ((60, 10, 1.5, -30.0, 1), (1, 0.5, 0.5)),  # the clock went back
]


@pytest.mark.parametrize(("given", "expected"), TABLE)
def test_a_bucket_grants_what_has_come_in(
    given: tuple[int, int, float, float, int], expected: tuple[int, float, float]
) -> None:
    """So many calls as it holds whole ones, and the seconds until it holds the next."""
    per_minute, burst, tokens, elapsed, wanted = given
    found = ratelimits.spend(tokens, elapsed, per_minute=per_minute, burst=burst, wanted=wanted)
    assert found == pytest.approx(expected)


def endpoint(**terms: object) -> Endpoint:
    """An endpoint with these terms."""
    partner = Partner.objects.create(code="p", name="P", kind="erp")
    return Endpoint.objects.create(
        partner=partner, code="p", name="P", direction="out", format="rest_ledger", transport="http", **terms
    )


@pytest.mark.django_db
def test_without_a_limit_everything_goes_and_no_row_is_written() -> None:
    """An endpoint without `calls_per_minute` costs nothing."""
    assert ratelimits.take(endpoint(), 300) == (300, 0.0)
    assert Bucket.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_eight_senders_share_one_bucket() -> None:
    """A burst of 20 with one more a minute: eight senders that ask for five each get twenty together, none twice."""
    door = endpoint(calls_per_minute=1, calls_burst=20)

    def ask() -> int:
        with transaction.atomic():
            return ratelimits.take(door, 5)[0]

    found = at_once(*[ask] * 8)
    assert sum(found) == 20
    assert Bucket.objects.get().tokens < 1
