"""What one listener takes from its senders, so that no sender can take it from the others (reliability S-6, F-M4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    frame_bytes: int = 5 * 1024 * 1024
    first_byte_s: float = 10.0  # from the connection to its first byte
    frame_s: float = 30.0  # from a frame's first byte to its last; also how long a sender may leave answers unread
    idle_s: float = 300.0  # between two frames
    per_peer: int = 64  # connections of one address
    total: int = 2000
    pipelined: int = 100  # messages of one connection that wait for their answer; then it is not read on
    answers_bytes: int = 64 * 1024  # unread answers of one connection; then it is not read on
    unfinished_bytes: int = 256 * 1024 * 1024  # frames that have begun, all connections together
    waiting_bytes: int = 64 * 1024 * 1024  # whole messages that wait for the commit
    batch: int = 500  # messages of one commit
    batch_bytes: int = 16 * 1024 * 1024
    grace_s: float = 10.0  # from the order to stop to the end
