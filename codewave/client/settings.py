"""Settings of a producer."""

from typing import Final, Literal

from msgspec import Struct

from codewave.contract.limits import DEFAULT_LIMITS, KIB, MIB, Limits
from codewave.errors import WrongUseError

KINESIS_CALL_RECORDS: Final = 500
KINESIS_CALL_BYTES: Final = 5 * MIB
"""PutRecords takes 500 records and 5 MiB with their partition keys (AWS, Kinesis API reference, PutRecords)."""
MAX_COLLECTOR_CHARACTERS: Final = 256
RECORD_RESERVE_BYTES: Final = 12 * KIB
"""Kept free in a record: the header (4 KiB), zstd's worst growth (1/256 of a MiB) and the partition key."""


class ProducerSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of a producer; only ``collector`` must be given.

    :raises WrongUseError: a value that cannot work, with its name.
    """

    collector: str
    """Who sends: a new one for every start of a process (``new_collector_id``), as batch numbers begin at 1."""

    linger_ms: int = 100
    """A batch goes at this age …"""
    batch_events: int = 500
    """… or with this many events …"""
    batch_bytes: int = 512 * KIB
    """… or with this many bytes before compression, whichever comes first."""
    encoding: Literal["zstd", "identity"] = "zstd"
    """How the body of a record is written."""
    call_records: int = KINESIS_CALL_RECORDS
    call_bytes: int = KINESIS_CALL_BYTES
    senders: int = 2
    """Sender threads; each has its own rooms and one call under way."""

    max_buffered_events: int = 200_000
    """``send`` blocks above this …"""
    max_buffered_bytes: int = 64 * MIB
    """… or above this many bytes before compression."""
    send_timeout_s: float | None = 30.0
    """How long ``send`` may block; ``None``: for ever."""
    delivery_timeout_s: float | None = None
    """A record that fails is given up at this age; ``None``: never."""
    backoff_base_ms: int = 50
    backoff_max_ms: int = 5_000
    """The n-th retry waits a random time up to ``backoff_base_ms`` · 2ⁿ⁻¹, at most ``backoff_max_ms``."""

    stamp_received_at: bool = True
    """Set ``received_at`` to now at sending: yes where there is no collector in between."""
    limits: Limits = DEFAULT_LIMITS
    """The contract's limits."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.collector) <= MAX_COLLECTOR_CHARACTERS:
            raise WrongUseError(f"producer: collector must have 1 to {MAX_COLLECTOR_CHARACTERS} characters")
        for name in ("batch_events", "batch_bytes", "call_records", "call_bytes", "senders", "max_buffered_events"):
            self._at_least(name, 1)
        for name in ("max_buffered_bytes", "linger_ms", "backoff_base_ms", "backoff_max_ms"):
            self._at_least(name, 0)
        if self.batch_bytes > self.largest_line_bytes:
            raise WrongUseError(f"producer: batch_bytes must be at most {self.largest_line_bytes} to fit a record")

    def _at_least(self, name: str, least: int) -> None:
        if getattr(self, name) < least:
            raise WrongUseError(f"producer: {name} must be at least {least}, not {getattr(self, name)}")

    @property
    def largest_line_bytes(self) -> int:
        """The largest encoded event that fits into a record whatever its compression, in bytes."""
        return self.limits.record_bytes - RECORD_RESERVE_BYTES
