"""The rows that the stream writes: one Struct per output, fields in the order of the table's columns.

``array_like`` Structs encode to positional MessagePack arrays, which the JVM turns into typed rows; the SQL type of
each output follows from its annotations (:mod:`udfs.rowtype`). Times are ms since epoch and become
``TIMESTAMP_LTZ(6)``.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

Timestamp = Annotated[int, Meta(extra={"sql": "TIMESTAMP_LTZ(6)"})]
"""ms since epoch."""


class Row(Struct, array_like=True, gc=False):
    """Base of all rows."""


class EventRow(Row, gc=False):
    """The envelope, as every event table starts with."""

    event_id: str
    type: str
    version: int
    room_id: str
    session_id: str
    user_id: str
    ordering_key: str
    sequence: int
    occurred_at: Timestamp
    received_at: Timestamp
    late: bool
    """Filled a gap that had been declared."""
    clock_skew: bool
    """``occurred_at`` and ``received_at`` are further apart than the setting allows."""


class PatchRow(Row, gc=False):
    """One replacement in a text, in Unicode characters."""

    position: int
    deleted: int
    inserted: str


class DocumentOperationRow(EventRow, gc=False):
    """An accepted edit."""

    document_id: str
    base_sequence: int
    patches: list[PatchRow]
    parents: str | None
    """JSON ``[[writer, sequence], …]`` of a concurrent edit."""
    checksum: int | None


class PresenceEventRow(EventRow, gc=False):
    """Who is in the room, which document they show, where their cursor is."""

    document_id: str | None
    position: int | None
    selection_start: int | None
    selection_end: int | None
    display_name: str | None
    detail: str | None
    """The client that joined, the reason for leaving, or the language of an opened document."""
    base_sequence: int | None
    checksum: int | None


class ChatMessageRow(EventRow, gc=False):
    """A chat message."""

    text: str
    reply_to: str | None


class ExecutionEventRow(EventRow, gc=False):
    """A lifecycle event of an execution: queued, started or finished."""

    execution_id: str
    document_id: str | None
    language: str | None
    image: str | None
    worker_id: str | None
    outcome: str | None
    exit_code: int | None
    cpu_ms: int | None
    wall_ms: int | None
    peak_memory_bytes: int | None


class ExecutionLogRow(EventRow, gc=False):
    """A chunk of a program's output."""

    execution_id: str
    stream: str
    chunk: int
    text: str


class ExecutionOutcomeRow(Row, gc=False):
    """The stream's verdict on one execution."""

    execution_id: str
    revision: int
    room_id: str
    user_id: str | None
    """Who asked for the run; empty when the ``queued`` event has not come."""
    session_id: str | None
    document_id: str | None
    language: str | None
    image: str | None
    worker_id: str | None
    queued_at: Timestamp | None
    started_at: Timestamp | None
    finished_at: Timestamp
    received_at: Timestamp
    outcome: str
    exit_code: int | None
    cpu_ms: int
    wall_ms: int
    peak_memory_bytes: int
    output_chunks: int
    output_bytes: int
    event_id: str
    """The event that decided the outcome; of a lost one, its last sign of life."""
    decided_by: str | None
    """``event``, ``silence`` or ``limit``; never empty here, but in rows that older releases wrote."""


class TypeCountRow(Row, gc=False):
    """What became of a record's events of one type and hour."""

    type: str
    hour: Timestamp
    received: int
    stored: int
    duplicate: int
    quarantined: int
    pending: int
    released: int


class RecordAuditRow(Row, gc=False):
    """What became of one record, or what a timer released (then ``cause`` is ``timer``).

    received = stored + duplicate + quarantined + pending, within a row; over all rows, what is still waiting is
    ``sum(pending) - sum(released)`` and what the tables hold is ``sum(stored) + sum(released)``.
    """

    cause: str
    room_id: str | None
    shard_id: str | None
    sequence_number: str | None
    arrived_at: Timestamp
    received_at: Timestamp
    processed_at: Timestamp
    collector: str | None
    batch: int | None
    bytes: int
    received: int
    stored: int
    duplicate: int
    quarantined: int
    pending: int
    released: int
    late: int
    by_type: list[TypeCountRow]
    send_delay_ms: int | None
    """Collector to stream: ``arrived_at`` minus the header's ``sent_at``."""
    process_delay_ms: int
    """Stream to here: ``processed_at`` minus ``arrived_at``."""


class QuarantinedEventRow(Row, gc=False):
    """A refused event or record, whole."""

    quarantine_id: str
    """``shard_id:sequence_number:position``, or ``ordering_key#sequence@event_id`` of an event that broke our code
    after it had waited: the same on every replay."""
    room_id: str | None
    type: str | None
    event_id: str | None
    ordering_key: str | None
    sequence: int | None
    reason: str
    path: str
    message: str
    body: str
    body_encoding: str
    """``utf-8`` or ``base64``."""
    body_bytes: int
    shard_id: str
    sequence_number: str
    position: int
    """Index of the event in the record, or -1 for the record as a whole and where the record is not known."""
    arrived_at: Timestamp
    received_at: Timestamp
    release: str


class SequenceGapRow(Row, gc=False):
    """A gap that was declared, or a late event that filled a part of one."""

    gap_id: str
    """``ordering_key#first_sequence`` of the declaration, ``ordering_key#sequence@event_id`` of a late fill."""
    room_id: str
    ordering_key: str
    first_sequence: int
    last_sequence: int
    status: str
    """``declared`` or ``filled``."""
    cause: str
    """``timeout``, ``pending_full`` or ``refused``; ``late`` for a fill."""
    event_id: str | None
    waited_ms: int
    received_at: Timestamp


class ActivityRow(Row, gc=False):
    """A burst: one user's accepted operations on one document in one record."""

    activity_id: str
    room_id: str
    document_id: str
    user_id: str
    session_id: str
    operations: int
    characters_inserted: int
    characters_deleted: int
    first_sequence: int
    last_sequence: int
    preview: str
    occurred_at: Timestamp
    received_at: Timestamp


class ExecutionStatusRow(Row, gc=False):
    """What is known of one execution so far; empty fields leave the document's as they are."""

    execution_id: str
    room_id: str
    user_id: str | None
    session_id: str | None
    document_id: str | None
    language: str | None
    image: str | None
    worker_id: str | None
    status: str
    """``queued``, ``started`` or the outcome."""
    queued_at: Timestamp | None
    started_at: Timestamp | None
    finished_at: Timestamp | None
    exit_code: int | None
    cpu_ms: int | None
    wall_ms: int | None
    peak_memory_bytes: int | None
    output_chunks: int
    output_bytes: int
    received_at: Timestamp
    """Of the first event seen, so that every update reaches the same daily index."""


class PresentRow(Row, gc=False):
    """A session that is in the room."""

    session_id: str
    user_id: str
    document_id: str | None
    position: int | None
    last_seen_at: Timestamp


class RoomRow(Row, gc=False):
    """The live state of a room."""

    room_id: str
    present: list[PresentRow]
    present_count: int
    running_executions: list[str]
    last_activity_at: Timestamp
    updated_at: Timestamp
    lag_ms: int
    """From the arrival of the newest record in the stream to its processing."""


LAKE_OUTPUTS: Final[dict[str, type[Row]]] = {
    "document_operations": DocumentOperationRow,
    "presence_events": PresenceEventRow,
    "chat_messages": ChatMessageRow,
    "execution_events": ExecutionEventRow,
    "execution_logs": ExecutionLogRow,
    "execution_outcomes": ExecutionOutcomeRow,
    "record_audit": RecordAuditRow,
    "quarantined_events": QuarantinedEventRow,
    "sequence_gaps": SequenceGapRow,
}
"""Output name (also its Iceberg table) → row."""

SEARCH_OUTPUTS: Final[dict[str, type[Row]]] = {
    "activity": ActivityRow,
    "executions": ExecutionStatusRow,
    "rooms": RoomRow,
}
"""Outputs that only the search indices read; the others of the indices are lake outputs too."""

OUTPUTS: Final[dict[str, type[Row]]] = LAKE_OUTPUTS | SEARCH_OUTPUTS
