"""Example rooms for tests: one room, two users, one document, one execution, all with fixed ids and times.

Each function makes one valid event; what a test cares about is an argument, the rest has a default. The same call
gives the same event, byte for byte.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec

from codewave.contract.events import (
    ChatPosted,
    ChatPostedPayload,
    CursorMoved,
    CursorMovedPayload,
    DocumentClosed,
    DocumentClosedPayload,
    DocumentEdited,
    DocumentEditedPayload,
    DocumentOpened,
    DocumentOpenedPayload,
    DocumentSnapshotted,
    DocumentSnapshottedPayload,
    Event,
    ExecutionFinished,
    ExecutionFinishedPayload,
    ExecutionOutput,
    ExecutionOutputPayload,
    ExecutionQueued,
    ExecutionQueuedPayload,
    ExecutionStarted,
    ExecutionStartedPayload,
    PresenceHeartbeat,
    PresenceHeartbeatPayload,
    PresenceJoined,
    PresenceJoinedPayload,
    PresenceLeft,
    PresenceLeftPayload,
)
from codewave.contract.frame import Header, frame
from codewave.contract.text import checksum_of


class Writer(NamedTuple):
    """Who makes events: a user in one browser tab, or a worker for a user."""

    user_id: str
    session_id: str


ROOM = "room-7"
DOCUMENT = "main-py"
EXECUTION = "run-1"
ADA = Writer("ada", "tab-ada")
GRACE = Writer("grace", "tab-grace")
WORKER = Writer("ada", "worker-3")
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
NETWORK_MS = 40
"""From the writer's clock to the collector's."""


def uuid7(ordering_key: str, sequence: int, at: int = START_MS) -> str:
    """Return a UUIDv7 that depends on the arguments only."""
    digest = hashlib.sha256(f"{ordering_key}#{sequence}".encode()).hexdigest()
    time = f"{at:012x}"
    return f"{time[:8]}-{time[8:]}-7{digest[:3]}-8{digest[3:6]}-{digest[6:18]}"


def _make(
    struct: type[Any],
    payload: Any,
    ordering_key: str,
    sequence: int,
    by: Writer,
    *,
    room: str = ROOM,
    at: int | None = None,
    received_at: int | None = None,
    event_id: str | None = None,
) -> Any:
    occurred_at = START_MS + sequence * 1000 if at is None else at
    return struct(
        event_id=event_id or uuid7(ordering_key, sequence, occurred_at),
        version=1,
        room_id=room,
        session_id=by.session_id,
        user_id=by.user_id,
        ordering_key=ordering_key,
        sequence=sequence,
        occurred_at=occurred_at,
        received_at=occurred_at + NETWORK_MS if received_at is None else received_at,
        payload=payload,
    )


def edit(
    sequence: int,
    inserted: str = "x",
    *,
    position: int = 0,
    deleted: int = 0,
    checksum: int | None = None,
    document: str = DOCUMENT,
    by: Writer = ADA,
    **envelope: Any,
) -> DocumentEdited:
    """One edit of one patch; ``envelope``: ``room``, ``at``, ``received_at``, ``event_id``."""
    payload = DocumentEditedPayload(document, sequence - 1, [(position, deleted, inserted)], checksum=checksum)
    return _make(DocumentEdited, payload, f"document:{document}", sequence, by, **envelope)


def typed(text: str, *, first: int = 1, **of: Any) -> list[DocumentEdited]:
    """Type ``text`` into an empty document, one character an edit, each with its checksum."""
    return [
        edit(first + index, character, position=index, checksum=checksum_of(text[: index + 1]), **of)
        for index, character in enumerate(text)
    ]


def opened(sequence: int, *, document: str = DOCUMENT, by: Writer = ADA, **envelope: Any) -> DocumentOpened:
    """Show a document."""
    payload = DocumentOpenedPayload(document, "python")
    return _make(DocumentOpened, payload, f"document:{document}", sequence, by, **envelope)


def closed(sequence: int, *, document: str = DOCUMENT, by: Writer = ADA, **envelope: Any) -> DocumentClosed:
    """No longer show a document."""
    payload = DocumentClosedPayload(document)
    return _make(DocumentClosed, payload, f"document:{document}", sequence, by, **envelope)


def snapshot(
    sequence: int, text: str, *, document: str = DOCUMENT, by: Writer = ADA, **envelope: Any
) -> DocumentSnapshotted:
    """Save ``text``, the document as it stands before this event."""
    payload = DocumentSnapshottedPayload(document, sequence - 1, len(text), checksum_of(text))
    return _make(DocumentSnapshotted, payload, f"document:{document}", sequence, by, **envelope)


def joined(sequence: int = 1, *, by: Writer = ADA, **envelope: Any) -> PresenceJoined:
    """Enter the room."""
    payload = PresenceJoinedPayload(by.user_id.title(), "web/3.4.1")
    return _make(PresenceJoined, payload, f"session:{by.session_id}", sequence, by, **envelope)


def left(sequence: int, *, by: Writer = ADA, **envelope: Any) -> PresenceLeft:
    """Leave the room."""
    return _make(PresenceLeft, PresenceLeftPayload("closed"), f"session:{by.session_id}", sequence, by, **envelope)


def heartbeat(sequence: int, *, by: Writer = ADA, **envelope: Any) -> PresenceHeartbeat:
    """Still be there."""
    payload = PresenceHeartbeatPayload(DOCUMENT)
    return _make(PresenceHeartbeat, payload, f"session:{by.session_id}", sequence, by, **envelope)


def cursor(sequence: int, position: int = 0, *, by: Writer = ADA, **envelope: Any) -> CursorMoved:
    """Move the cursor."""
    payload = CursorMovedPayload(DOCUMENT, position)
    return _make(CursorMoved, payload, f"session:{by.session_id}", sequence, by, **envelope)


def chat(sequence: int, text: str = "Hello", *, by: Writer = ADA, **envelope: Any) -> ChatPosted:
    """Say something."""
    return _make(ChatPosted, ChatPostedPayload(text), f"session:{by.session_id}", sequence, by, **envelope)


def queued(sequence: int = 1, *, execution: str = EXECUTION, by: Writer = ADA, **envelope: Any) -> ExecutionQueued:
    """Ask for the document to be run."""
    payload = ExecutionQueuedPayload(execution, "python", DOCUMENT, "python:3.11-slim")
    return _make(ExecutionQueued, payload, f"execution:{execution}", sequence, by, **envelope)


def started(sequence: int = 2, *, execution: str = EXECUTION, by: Writer = WORKER, **envelope: Any) -> ExecutionStarted:
    """Start it on a worker."""
    payload = ExecutionStartedPayload(execution, by.session_id, "python:3.11-slim")
    return _make(ExecutionStarted, payload, f"execution:{execution}", sequence, by, **envelope)


def output(
    sequence: int = 3,
    text: str = "hi\n",
    *,
    chunk: int = 1,
    execution: str = EXECUTION,
    by: Writer = WORKER,
    **envelope: Any,
) -> ExecutionOutput:
    """Print something to standard output."""
    payload = ExecutionOutputPayload(execution, "stdout", chunk, text)
    return _make(ExecutionOutput, payload, f"execution:{execution}", sequence, by, **envelope)


def finished(
    sequence: int = 4,
    outcome: Any = "succeeded",
    *,
    cpu_ms: int = 120,
    execution: str = EXECUTION,
    by: Writer = WORKER,
    **envelope: Any,
) -> ExecutionFinished:
    """End it."""
    payload = ExecutionFinishedPayload(execution, outcome, cpu_ms, 480, 31_457_280, "python:3.11-slim", 0)
    return _make(ExecutionFinished, payload, f"execution:{execution}", sequence, by, **envelope)


def small_room() -> list[Event]:
    """Everything that happens in the room: both join, Ada types and runs the program, they talk and leave."""
    return [
        joined(1),
        joined(1, by=GRACE),
        opened(1),
        *typed("print('hi')", first=2),
        cursor(2, 11),
        snapshot(13, "print('hi')"),
        queued(1),
        started(2),
        output(3),
        finished(4),
        chat(3, "It works 🎉"),
        chat(2, "Well done", by=GRACE),
        heartbeat(3, by=GRACE),
        closed(14),
        left(4),
        left(4, by=GRACE),
    ]


def encode(event: Event) -> bytes:
    """Return the event as one line of JSON."""
    return msgspec.json.encode(event)


def record(events: list[Event], *, batch: int = 1, encoding: Any = "zstd", room: str = ROOM) -> bytes:
    """Return a record of the stream that holds ``events``."""
    sent_at = max((event.received_at for event in events), default=START_MS)
    header = Header(1, room, len(events), encoding, "collector-1", batch, sent_at)
    return frame(header, [encode(event) for event in events])
