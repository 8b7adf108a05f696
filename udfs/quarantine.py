"""The quarantine row of a refused event: whole, with its reason, path and place in the stream."""

import base64

from msgspec import Struct

from udfs.refusal import Refusal
from udfs.rows import QuarantinedEventRow


class Record(Struct, gc=False):
    """A record as it came from the stream; ``arrived_at`` is the stream's clock, ms since epoch."""

    data: bytes
    shard_id: str
    sequence_number: str
    arrived_at: int


def waiting_record(shard_id: str, since: int) -> Record:
    """Stand in for the record of an event that has waited: which one it was is not remembered, when it came is.

    :param since: the room's clock when the event began to wait, ms since epoch.
    """
    return Record(b"", shard_id, "", since)


def quarantined(refusal: Refusal, record: Record, room_id: str | None, release: str) -> QuarantinedEventRow:
    """The row of a refused event of ``record``, its bytes in base64 where they are not UTF-8."""
    try:
        body, encoding = refusal.body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(refusal.body).decode("ascii"), "base64"
    known = refusal.envelope
    return QuarantinedEventRow(
        quarantine_id=f"{record.shard_id}:{record.sequence_number}:{refusal.position}",
        room_id=room_id,
        type=known.type if known else None,
        event_id=known.event_id if known else None,
        ordering_key=known.ordering_key if known else None,
        sequence=known.sequence if known else None,
        reason=str(refusal.reason),
        path=refusal.path,
        message=refusal.message,
        body=body,
        body_encoding=encoding,
        body_bytes=len(refusal.body),
        shard_id=record.shard_id,
        sequence_number=record.sequence_number,
        position=refusal.position,
        arrived_at=record.arrived_at,
        received_at=known.received_at if known else record.arrived_at,
        release=release,
    )
