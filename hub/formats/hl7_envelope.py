"""The quick look at the door: who sends what to whom, and whose it is, without taking the message apart."""

from dataclasses import dataclass, field
from functools import lru_cache

from hub.formats.hl7_header import Opening, open_message
from hub.formats.hl7_lines import begins_segment
from hub.formats.hl7_message import read_segments
from hub.formats.hl7_segment import NULL, place
from hub.formats.hl7_separators import Separators


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a door decides by; unescaped text, "" where the sender said nothing. Parties are HD.1, else HD.2.

    Who a patient is, is kept out of `repr`, which ends up in logs.
    """

    separators: Separators
    sending_app: str  # MSH-3
    sending_facility: str  # MSH-4
    receiving_app: str  # MSH-5
    receiving_facility: str  # MSH-6
    message_time: str  # MSH-7 as sent
    message_type: str  # MSH-9.1, e.g. DFT
    trigger: str  # MSH-9.2, e.g. P03; EVN-1 when MSH-9 has only the type, as v2.1 does
    structure: str  # MSH-9.3
    control_id: str  # MSH-10
    processing_id: str  # MSH-11.1: P, T or D
    version: str  # MSH-12.1
    accept_ack: str  # MSH-15: AL, NE, ER, SU
    application_ack: str  # MSH-16
    charset: str  # MSH-18 as sent
    account: str = field(repr=False)  # PID-18.1, else PV1-19.1
    patient_id: str = field(repr=False)  # PID-3.1 of the repetition whose CX-5 is MR, else of the first
    codec: str = "ascii"  # the Python codec that the bytes were read with
    header: tuple[str, ...] = field(default=(), repr=False)  # the MSH's fields as sent, for the acknowledgement

    @property
    def key(self) -> str:
        """What orders this message among others: one account's messages are applied in the order they came in."""
        return self.account or self.patient_id or self.control_id


def peek(raw: bytes) -> Envelope:
    """The envelope of one message's bytes; `ParseError` IF_PARSE when it has no usable MSH, and never anything else."""
    opening = open_message(raw)
    _, header, separators, codec, _ = opening
    if len(header) < 19:
        header += [""] * (19 - len(header))
    kind = header[9]
    message_type, trigger, structure = (_kind if len(kind) < 64 else _kind.__wrapped__)(kind, separators)
    # Ten plain fields in one go: this function runs for every message, in the listener's event loop.
    plain = [
        value if not value or value.isalnum() else place(value, separators, 1, 1, 1)
        for value in header[3:8] + header[10:13] + header[15:17]
    ]
    app, facility, to_app, to_facility, time, control_id, processing, version, accept, application = plain
    pid = _segment(opening, "PID")
    return Envelope(
        separators,
        app or _universal(header[3], separators),
        facility or _universal(header[4], separators),
        to_app or _universal(header[5], separators),
        to_facility or _universal(header[6], separators),
        time,
        message_type,
        trigger or _place(_segment(opening, "EVN"), 1, separators),
        structure,
        control_id,
        processing,
        version,
        accept,
        application,
        header[18],
        _place(pid, 18, separators) or _place(_segment(opening, "PV1"), 19, separators),
        _patient(pid[3], separators) if len(pid) > 3 else "",
        codec,
        tuple(header),
    )


def _universal(value: str, separators: Separators) -> str:
    """HD.2, for senders that name themselves by nothing else."""
    return place(value, separators, 2, 1, 1)


@lru_cache(maxsize=1024)
def _kind(value: str, separators: Separators) -> tuple[str, str, str]:
    """MSH-9's three components; a feed sends few different ones. Long ones are not kept: they could fill the memory."""
    return place(value, separators, 1, 1, 1), place(value, separators, 2, 1, 1), place(value, separators, 3, 1, 1)


def _place(fields: list[str], number: int, separators: Separators) -> str:
    value = fields[number] if len(fields) > number else ""
    return value if not value or value.isalnum() else place(value, separators, 1, 1, 1)


def _patient(value: str, separators: Separators) -> str:
    """CX.1 of the repetition that says it is the medical record number, else of the first that says anything."""
    repetition, component = separators.repetition, separators.component
    if repetition and repetition in value:
        repetitions = [one for one in value.split(repetition) if one and one != NULL]
        records = [one for one in repetitions if component and one.split(component, 5)[4:5] == ["MR"]]
        value = (records or repetitions or [""])[0]
    return place(value, separators, 1, 1, 1)


def _segment(opening: Opening, name: str) -> list[str]:
    """Fields 1 to 19 of the first segment of that name, [] when there is none."""
    text, separators = opening.text, opening.separators
    begin = name + separators.field
    start = text.find("\r" + begin)
    if start >= 0:
        end = text.find("\r", start + 1)
        if end < 0:
            return text[start + 1 :].split(separators.field, 20)
        if begins_segment(text, end + 1, separators.field):
            return text[start + 1 : end].split(separators.field, 20)
    elif begin not in text:
        return []
    # The segment is broken in two or indented, or this is only a value: taking the message apart tells.
    found = read_segments(opening).first(name)
    return found.fields if found else []
