"""Names are the standard's own, at the standard's own numbers."""

import re

import pytest
from hl7apy import load_library

from hub.formats import hl7

# fmt: off
LISTED = [
    "MSH", "EVN", "PID", "PD1", "PV1", "PV2", "FT1", "PR1", "DG1", "GT1", "IN1", "IN2", "ACC", "NK1", "OBX", "OBR",
    "ORC", "NTE", "MSA", "ERR", "MFI", "MFE", "CDM", "PRC", "STF", "ITM", "IVT", "VND", "PKG", "RQD", "RQ1", "RXE",
    "RXD", "RXA", "AIS", "SCH", "MRG", "FHS", "BHS", "BTS", "FTS", "PRT", "BLG", "AL1", "ROL", "TQ1",
]
# fmt: on


@pytest.mark.parametrize(
    ("segment", "number", "name"),
    [
        ("FT1", 7, "Transaction Code"),
        ("FT1", 8, "Transaction Description"),
        ("FT1", 13, "Department Code"),
        ("FT1", 29, "NDC Code"),
        ("FT1", 34, "Item Number"),
        ("FT1", 43, "NDC Qty and UOM"),
        ("PID", 18, "Patient Account Number"),
        ("PV1", 19, "Visit Number"),
        ("MSH", 1, "Field Separator"),
        ("MSH", 18, "Character Set"),
        ("EVN", 6, "Event Occurred"),
        ("PRT", 16, "Participant Device Identifier"),
        ("ITM", 19, "Item Natural Account Code"),
        ("IVT", 16, "Consignment Item Indicator"),
        ("RQ1", 7, "Substitute Allowed"),
        ("ERR", 8, "User Message"),
        ("BTS", 1, "Batch Message Count"),
        ("FT1", 0, ""),
        ("FT1", -1, ""),
        ("FT1", 44, ""),
        ("ZPM", 1, ""),
    ],
)
def test_a_field_has_the_standards_name(segment, number, name):
    """Unknown segments and numbers have no name instead of a wrong one."""
    assert hl7.field_name(segment, number) == name


def test_segments_have_names():
    """A Z-segment is called site-defined; one that is not listed has no name."""
    assert hl7.segment_name("FT1") == "Financial Transaction"
    assert hl7.segment_name("ZPM") == "Site-Defined Segment"
    assert hl7.segment_name("XYZ") == ""


def test_every_segment_that_staff_meet_is_listed():
    """Names of segments and of their fields are there for the same segments."""
    assert sorted(hl7.NAMES) == sorted(hl7.SEGMENTS) == sorted(LISTED)


def plain(name: str) -> str:
    """A name without case, punctuation and abbreviation, so that two spellings of the standard's text compare."""
    words = re.sub(r"[^a-z0-9]+", " ", name.lower().replace("'s", "s").replace("mother_s", "mothers")).split()
    short = {"section": "sect", "service": "serv", "phone": "ph", "number": "num", "and": ""}
    return "".join(short.get(word, word) for word in words)


@pytest.mark.parametrize("segment", LISTED)
def test_names_agree_with_a_library_that_nobody_here_wrote(segment):
    """hl7apy's tables for v2.5.1 to v2.8.2 name each field the same, at the same number, in one version at least."""
    known: dict[int, set[str]] = {}
    for version in ("2.5.1", "2.6", "2.7", "2.8", "2.8.2"):
        library = load_library(version)
        for field, *_ in library.SEGMENTS.get(segment, (None, ()))[1]:
            number = int(field.split("_")[1])
            known.setdefault(number, set()).add(plain(library.FIELDS[field][3].replace("_S_", "S_")))
    assert len(hl7.NAMES[segment]) == max(known)
    ours = {number: plain(name) for number, name in enumerate(hl7.NAMES[segment], start=1)}
    differing = {number: (name, known[number]) for number, name in ours.items() if name not in known[number]}
    assert differing == {}
