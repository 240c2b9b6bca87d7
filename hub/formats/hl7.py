"""HL7 v2, 2.1 to 2.8: `peek` at the door, `parse` in the worker, `split` a file, `ack` an answer, `build` a message.

Tolerant where it reads and strict where it writes. Reading raises nothing but `hub.errors.ParseError`, whatever the
bytes are; writing raises `hub.errors.Permanent`. Each part is told in its own module; this one is the door to them.
"""

from hub.formats.hl7_ack import TABLE_0357, AckCode, AckError, ack
from hub.formats.hl7_batch import Batch, split
from hub.formats.hl7_envelope import Envelope, peek
from hub.formats.hl7_escapes import escape, unescape
from hub.formats.hl7_message import Message, parse
from hub.formats.hl7_names import NAMES, SEGMENTS, field_name, segment_name
from hub.formats.hl7_paths import Path, path
from hub.formats.hl7_segment import Segment, place
from hub.formats.hl7_separators import STANDARD, Separators
from hub.formats.hl7_write import NULL, Field, build

__all__ = [
    "NAMES",
    "NULL",
    "SEGMENTS",
    "STANDARD",
    "TABLE_0357",
    "AckCode",
    "AckError",
    "Batch",
    "Envelope",
    "Field",
    "Message",
    "Path",
    "Segment",
    "Separators",
    "ack",
    "build",
    "escape",
    "field_name",
    "parse",
    "path",
    "peek",
    "place",
    "segment_name",
    "split",
    "unescape",
]
