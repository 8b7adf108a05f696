"""The limits that bound every input before it is parsed."""

from typing import Final

from msgspec import Struct

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in bytes. The defaults are the contract's."""

    event_bytes: int = 4 * KIB
    """Largest event, as encoded JSON."""
    event_bytes_by_type: dict[str, int] = {}
    """Exceptions to ``event_bytes``, by event type."""
    record_bytes: int = 1 * MIB
    """Largest record as it comes from the stream; also Kinesis' own limit."""
    decompressed_bytes: int = 16 * MIB
    """Largest body after decompression."""
    record_events: int = 80_000
    """Most events in a record; 16 MiB hold 75,234 of the smallest valid event (223 bytes), so only noise exceeds it."""
    header_bytes: int = 4 * KIB
    """Largest record header."""
    nesting: int = 32
    """Deepest nesting of arrays and objects in an event."""

    def largest_event_bytes(self) -> int:
        """Return the size that no event of any type may exceed, in bytes."""
        return max(self.event_bytes, *self.event_bytes_by_type.values(), 0)


DEFAULT_LIMITS: Final = Limits()
