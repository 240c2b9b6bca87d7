"""A configured path is checked when it is written, and says how to write it when it is wrong."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Permanent
from hub.formats import hl7

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ZPM-3", hl7.Path("ZPM", 3)),
        ("ZPM-3.2", hl7.Path("ZPM", 3, component=2)),
        ("ZPM-3.2.4", hl7.Path("ZPM", 3, component=2, sub=4)),
        ("PID-3[2].1", hl7.Path("PID", 3, repetition=2, component=1)),
        ("FT1[12]-26[3].2.1", hl7.Path("FT1", 26, occurrence=12, repetition=3, component=2)),
        ("FT1-8.0.0", hl7.Path("FT1", 8, component=0, sub=0)),
    ],
)
def test_a_path_is_read(text, expected):
    """What is left out is 1, and 0 means the whole as it stands."""
    assert hl7.path(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "ZPM", "ZPM-", "ZPM-0", "zpm-3", "ZPMX-3", "ZP-3", "1PM-3", "ZPM.3", "ZPM-3.", "ZPM-3.2.1.1"),
        *("ZPM[0]-3", "ZPM-3[0]", "ZPM-3 ", " ZPM-3", "ZPM-3\n", "ZPM-³", "ZPM-1000", "ZPM-3[x]", "ZPM--3"),
        *("ZPM-3.-1", "ZPM[-1]-3"),
    ],
)
def test_a_bad_path_is_refused_with_an_example(text):
    """The refusal shows the path and how one is written."""
    with pytest.raises(Permanent, match=r"for example ZPM-3\.2") as refusal:
        hl7.path(text)
    assert (refusal.value.code, refusal.value.where) == ("IF_PATH", text[:40])


@pytest.mark.parametrize("value", [None, 3, ["ZPM-3"], {"path": "ZPM-3"}])
def test_a_path_that_is_no_text_is_refused_like_a_bad_one(value):
    """Configuration is JSON: a number or list is a bad path and no crash."""
    with pytest.raises(Permanent) as refusal:
        hl7.path(value)
    assert refusal.value.code == "IF_PATH"


@UNHURRIED
@given(st.text())
def test_any_text_is_a_path_or_refused(text):
    """Nothing else is ever raised."""
    with suppress(Permanent):
        assert len(hl7.path(text).segment) == 3


def test_a_path_reads_the_group_it_is_given():
    """The same path reads each charge's own Z-segment when it is given that charge's group."""
    raw = b"MSH|^~\\&|A|B\rFT1|1\rZSU|a^b~c\rFT1|2\rFT1|3\rZSU|d\rZSU|e\r"
    groups = hl7.parse(raw).groups("FT1", {"ZSU"})
    assert [hl7.path("ZSU-1").read(group) for group in groups] == ["a", "", "d"]
    assert [hl7.path("ZSU[2]-1").read(group) for group in groups] == ["", "", "e"]
    assert [hl7.path("ZSU-1.2").read(group) for group in groups] == ["b", "", ""]
    assert [hl7.path("ZSU-1[2]").read(group) for group in groups] == ["c", "", ""]
