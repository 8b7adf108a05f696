"""Which row an accepted event becomes, and in which output it goes."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from codewave.contract import events as e
from udfs.rows import (
    ChatMessageRow,
    DocumentOperationRow,
    ExecutionEventRow,
    ExecutionLogRow,
    PresenceEventRow,
    Row,
)

_encode_json = msgspec.json.Encoder().encode

Envelope = tuple[str, str, int, str, str, str, str, int, int, int, bool, bool]
Maker = Callable[[Any, bool, bool], Row]
"""Makes the row of an event: whether it came late, and whether its writer's clock is off, go into the row."""


def _envelope(event: e.Event, kind: str, late: bool, skewed: bool) -> Envelope:
    """The columns that every event table starts with, in order."""
    return (
        event.event_id,
        kind,
        event.version,
        event.room_id,
        event.session_id,
        event.user_id,
        event.ordering_key,
        event.sequence,
        event.occurred_at,
        event.received_at,
        late,
        skewed,
    )


def _edited(event: e.DocumentEdited, late: bool, skewed: bool) -> Row:
    p = event.payload
    # As _envelope, in place: every other event is an edit, and unpacking a tuple costs more than all the rest.
    return DocumentOperationRow(
        event.event_id,
        "document.edited",
        event.version,
        event.room_id,
        event.session_id,
        event.user_id,
        event.ordering_key,
        event.sequence,
        event.occurred_at,
        event.received_at,
        late,
        skewed,
        p.document_id,
        p.base_sequence,
        p.patches,  # type: ignore[arg-type]  # the same on the wire as PatchRow, and made already
        None if p.parents is None else _encode_json(p.parents).decode(),
        p.checksum,
    )


def _moved(event: e.CursorMoved, late: bool, skewed: bool) -> Row:
    p = event.payload
    start, end = p.selection or (None, None)
    return PresenceEventRow(
        event.event_id,
        "cursor.moved",
        event.version,
        event.room_id,
        event.session_id,
        event.user_id,
        event.ordering_key,
        event.sequence,
        event.occurred_at,
        event.received_at,
        late,
        skewed,
        p.document_id,
        p.position,
        start,
        end,
        None,
        None,
        None,
        None,
    )


def _output(event: e.ExecutionOutput, late: bool, skewed: bool) -> Row:
    p = event.payload
    return ExecutionLogRow(
        event.event_id,
        "execution.output",
        event.version,
        event.room_id,
        event.session_id,
        event.user_id,
        event.ordering_key,
        event.sequence,
        event.occurred_at,
        event.received_at,
        late,
        skewed,
        p.execution_id,
        p.stream,
        p.chunk,
        p.text,
    )


def _opened(event: e.DocumentOpened, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "document.opened", *flags)
    return PresenceEventRow(*head, p.document_id, None, None, None, None, p.language, None, None)


def _closed(event: e.DocumentClosed, *flags: bool) -> Row:
    head = _envelope(event, "document.closed", *flags)
    return PresenceEventRow(*head, event.payload.document_id, None, None, None, None, None, None, None)


def _snapshotted(event: e.DocumentSnapshotted, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "document.snapshotted", *flags)
    return PresenceEventRow(*head, p.document_id, p.characters, None, None, None, None, p.base_sequence, p.checksum)


def _joined(event: e.PresenceJoined, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "presence.joined", *flags)
    return PresenceEventRow(*head, None, None, None, None, p.display_name, p.client, None, None)


def _left(event: e.PresenceLeft, *flags: bool) -> Row:
    head = _envelope(event, "presence.left", *flags)
    return PresenceEventRow(*head, None, None, None, None, None, event.payload.reason, None, None)


def _heartbeat(event: e.PresenceHeartbeat, *flags: bool) -> Row:
    head = _envelope(event, "presence.heartbeat", *flags)
    return PresenceEventRow(*head, event.payload.document_id, None, None, None, None, None, None, None)


def _posted(event: e.ChatPosted, *flags: bool) -> Row:
    return ChatMessageRow(*_envelope(event, "chat.posted", *flags), event.payload.text, event.payload.reply_to)


def _queued(event: e.ExecutionQueued, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "execution.queued", *flags)
    return ExecutionEventRow(
        *head, p.execution_id, p.document_id, p.language, p.image, None, None, None, None, None, None
    )


def _started(event: e.ExecutionStarted, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "execution.started", *flags)
    return ExecutionEventRow(*head, p.execution_id, None, None, p.image, p.worker_id, None, None, None, None, None)


def _finished(event: e.ExecutionFinished, *flags: bool) -> Row:
    p, head = event.payload, _envelope(event, "execution.finished", *flags)
    return ExecutionEventRow(
        *head,
        p.execution_id,
        None,
        None,
        p.image,
        None,
        p.outcome,
        p.exit_code,
        p.cpu_ms,
        p.wall_ms,
        p.peak_memory_bytes,
    )


ROUTES: Final[dict[str, tuple[str, Maker]]] = {
    "document.edited": ("document_operations", _edited),
    "document.opened": ("presence_events", _opened),
    "document.closed": ("presence_events", _closed),
    "document.snapshotted": ("presence_events", _snapshotted),
    "presence.joined": ("presence_events", _joined),
    "presence.left": ("presence_events", _left),
    "presence.heartbeat": ("presence_events", _heartbeat),
    "cursor.moved": ("presence_events", _moved),
    "chat.posted": ("chat_messages", _posted),
    "execution.queued": ("execution_events", _queued),
    "execution.started": ("execution_events", _started),
    "execution.output": ("execution_logs", _output),
    "execution.finished": ("execution_events", _finished),
}
"""Event type → its output and what makes its row."""
