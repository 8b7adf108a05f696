"""What the stream's functions may be told: limits, timeouts and bounds, each with its one home here."""

from typing import Final

from msgspec import Struct

from codewave.contract.limits import DEFAULT_LIMITS, Limits

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of one run of the stream; the defaults are the event contract's."""

    limits: Limits = DEFAULT_LIMITS
    gap_timeout_ms: int = 1_000
    """How long an event waits for those before it, on the room's clock."""
    pending_events: int = 256
    """Events that may wait per ordering key."""
    pending_bytes: int = 1024 * 1024
    """Bytes that may wait per ordering key."""
    waiting_keys: int = 256
    """Ordering keys of a room that may have events waiting; beyond it, the one that began first no longer waits."""
    holes: int = 64
    """Ranges of missing numbers that are remembered per ordering key, at least 1; beyond it the oldest is forgotten."""
    fingerprints: int = 128
    """Of how many of the last numbers the event is remembered, to tell a duplicate from a conflict."""
    execution_silence_ms: int = 900_000
    """Silence, on the room's clock, after which an execution that runs is taken for lost; not below the gap timeout."""
    watched_executions: int = 1_024
    """Executions that may run in a room; beyond it, the one silent for longest is taken for lost at once."""
    clock_skew_ms: int = 600_000
    """Distance of ``occurred_at`` from ``received_at`` beyond which an event is flagged."""
    delivery_ms: int = DAY_MS
    """Longest believable way from ``received_at`` to the stream; beyond it the arrival there takes its place."""
    shard_idle_ms: int = 5_000
    """Silence of a shard after which gaps close by the wall clock, as nothing is left to be read."""
    preview_characters: int = 200
    """Inserted text shown in a burst of the ``activity`` index."""
    present_sessions: int = 256
    """Sessions kept in a room's live state."""
    presence_timeout_ms: int = 120_000
    """Silence after which a session no longer counts as present."""
    running_executions: int = 256
    """Executions kept in a room's live state."""
    room_update_ms: int = 1_000
    """Shortest time between two updates of a room's live document, on the room's clock."""
    release: str = "dev"
    """The release that runs, as quarantined rows name it."""


DEFAULT_RULES: Final = Rules()
