"""What became of a record, counted by event type and hour, so that counts always close."""

from typing import Final

from msgspec import Struct

from codewave.contract.frame import Header
from udfs.quarantine import Record
from udfs.rows import RecordAuditRow, TypeCountRow
from udfs.rules import HOUR_MS

UNKNOWN_TYPE: Final = "unknown"
"""Type under which a refused event is counted whose own type cannot be read."""


class Tally(Struct):
    """Counts of one record; :attr:`by_type` is keyed by type and the start of the hour of ``received_at``."""

    by_type: dict[tuple[str, int], TypeCountRow] = {}
    late: int = 0

    def of(self, kind: str, received_at: int) -> TypeCountRow:
        """The counts of ``kind`` in the hour of ``received_at`` (ms since epoch)."""
        hour = received_at - received_at % HOUR_MS
        counts = self.by_type.get((kind, hour))
        if counts is None:
            counts = self.by_type[kind, hour] = TypeCountRow(kind, hour, 0, 0, 0, 0, 0, 0)
        return counts

    def waited(self, kind: str, received_at: int) -> None:
        """Count an event, counted as stored, as one that waited for others and was released."""
        counts = self.of(kind, received_at)
        counts.stored -= 1
        counts.pending += 1
        counts.released += 1

    def duplicate(self, kind: str, received_at: int) -> None:
        """Count an event that has come before."""
        counts = self.of(kind, received_at)
        counts.received += 1
        counts.duplicate += 1


def audit_row(  # noqa: PLR0913, PLR0917 -- what a row says
    tally: Tally,
    room_id: str,
    now_ms: int,
    received_at: int,
    record: Record | None = None,
    header: Header | None = None,
) -> RecordAuditRow:
    """The audit of a record, or of a timer where there is none.

    :param now_ms: when it was processed, on the wall clock, ms since epoch.
    :param received_at: which hour it counts in, ms since epoch.
    """
    counts = list(tally.by_type.values())
    arrived_at = record.arrived_at if record else now_ms
    return RecordAuditRow(
        cause="record" if record else "timer",
        room_id=room_id or None,
        shard_id=record.shard_id if record else None,
        sequence_number=record.sequence_number if record else None,
        arrived_at=arrived_at,
        received_at=received_at,
        processed_at=now_ms,
        collector=header.collector if header else None,
        batch=header.batch if header else None,
        bytes=len(record.data) if record else 0,
        received=sum([count.received for count in counts]),
        stored=sum([count.stored for count in counts]),
        duplicate=sum([count.duplicate for count in counts]),
        quarantined=sum([count.quarantined for count in counts]),
        pending=sum([count.pending for count in counts]),
        released=sum([count.released for count in counts]),
        late=tally.late,
        by_type=counts,
        send_delay_ms=arrived_at - header.sent_at if header else None,
        process_delay_ms=max(0, now_ms - arrived_at),
    )
