"""What a producer has done so far, in numbers."""

import msgspec
from msgspec import Struct


class Counters(Struct):
    """Every event taken by ``send`` is in exactly one of ``events``, ``buffered`` and ``failed``."""

    events: int = 0
    """Events that the stream acknowledged; a ready record counts as one."""
    records: int = 0
    """Records that the stream acknowledged."""
    bytes_before: int = 0
    """Bytes of the acknowledged records before compression."""
    bytes_after: int = 0
    """Bytes of the acknowledged records as sent."""
    calls: int = 0
    """Calls of the transport."""
    retries: int = 0
    """Records sent once more."""
    throttled: int = 0
    """Answers that said the stream is too busy, counted per record."""
    failed: int = 0
    """Events given up."""
    split: int = 0
    """Pieces beyond the first, of events sent by ``send_pieces``."""
    buffered: int = 0
    """Events waiting or under way."""
    buffered_bytes: int = 0
    """Bytes of these, before compression, with what Python needs around them."""
    blocked_seconds: float = 0.0
    """How long callers of ``send`` waited for the buffer, together."""

    def snapshot(self) -> "Counters":
        """The numbers as they are now, on their own."""
        return msgspec.structs.replace(self)
