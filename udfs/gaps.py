"""What a gap leaves in its table: a row when it is declared, and one for each late event that fills a part of it."""

from codewave.contract.events import Event
from udfs.rows import SequenceGapRow
from udfs.sequence import Gap


def declared_row(gap: Gap, ordering_key: str, room_id: str, clock: int) -> SequenceGapRow:
    """A gap that was given up when the room's clock was ``clock``, ms since epoch."""
    return SequenceGapRow(
        gap_id=f"{ordering_key}#{gap.first}",
        room_id=room_id,
        ordering_key=ordering_key,
        first_sequence=gap.first,
        last_sequence=gap.last,
        status="declared",
        cause=gap.cause,
        event_id=None,
        waited_ms=gap.waited_ms,
        received_at=clock,
    )


def filled_row(event: Event) -> SequenceGapRow:
    """An event that came late, into a gap."""
    return SequenceGapRow(
        gap_id=f"{event.ordering_key}#{event.sequence}@{event.event_id}",
        room_id=event.room_id,
        ordering_key=event.ordering_key,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        status="filled",
        cause="late",
        event_id=event.event_id,
        waited_ms=0,
        received_at=event.received_at,
    )
