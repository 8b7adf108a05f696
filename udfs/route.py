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
    PatchRow,
    PresenceEventRow,
    Row,
)

_encode_json = msgspec.json.Encoder().encode

Envelope = tuple[str, str, int, str, str, str, str, int, int, int, bool, bool]


def envelope(event: e.Event, kind: str, late: bool, clock_skew: bool) -> Envelope:
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
        clock_skew,
    )


def _edited(p: e.DocumentEditedPayload, head: Envelope) -> Row:
    patches = [PatchRow(*patch) for patch in p.patches]
    parents = None if p.parents is None else _encode_json(p.parents).decode()
    return DocumentOperationRow(*head, p.document_id, p.base_sequence, patches, parents, p.checksum)


def _opened(p: e.DocumentOpenedPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, p.document_id, None, None, None, None, p.language, None, None)


def _closed(p: e.DocumentClosedPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, p.document_id, None, None, None, None, None, None, None)


def _snapshotted(p: e.DocumentSnapshottedPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, p.document_id, p.characters, None, None, None, None, p.base_sequence, p.checksum)


def _joined(p: e.PresenceJoinedPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, None, None, None, None, p.display_name, p.client, None, None)


def _left(p: e.PresenceLeftPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, None, None, None, None, None, p.reason, None, None)


def _heartbeat(p: e.PresenceHeartbeatPayload, head: Envelope) -> Row:
    return PresenceEventRow(*head, p.document_id, None, None, None, None, None, None, None)


def _moved(p: e.CursorMovedPayload, head: Envelope) -> Row:
    start, end = p.selection or (None, None)
    return PresenceEventRow(*head, p.document_id, p.position, start, end, None, None, None, None)


def _posted(p: e.ChatPostedPayload, head: Envelope) -> Row:
    return ChatMessageRow(*head, p.text, p.reply_to)


def _queued(p: e.ExecutionQueuedPayload, head: Envelope) -> Row:
    return ExecutionEventRow(
        *head, p.execution_id, p.document_id, p.language, p.image, None, None, None, None, None, None
    )


def _started(p: e.ExecutionStartedPayload, head: Envelope) -> Row:
    return ExecutionEventRow(*head, p.execution_id, None, None, p.image, p.worker_id, None, None, None, None, None)


def _output(p: e.ExecutionOutputPayload, head: Envelope) -> Row:
    return ExecutionLogRow(*head, p.execution_id, p.stream, p.chunk, p.text)


def _finished(p: e.ExecutionFinishedPayload, head: Envelope) -> Row:
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


ROUTES: Final[dict[str, tuple[str, Callable[[Any, Envelope], Row]]]] = {
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
"""Event type → its output and what makes the row from payload and envelope columns."""
