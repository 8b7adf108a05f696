"""The event types of the contract, version 1: one Struct per type, with the payload typed.

Decode with :data:`AnyEvent`, a tagged union on ``type``. Fields that a Struct does not name are ignored,
so that a newer writer never stops an older reader.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from codewave.contract.fields import (
    Count,
    Crc32,
    EventId,
    Id,
    Integer,
    Label,
    Millis,
    OrderingKey,
    PersonalId,
    PersonalText,
    Sequence,
    Text,
    Version,
)

Patch = tuple[Count, Count, Text]
"""``[position, deleted, inserted]``: at ``position`` remove ``deleted`` characters, then insert ``inserted``."""

Parent = tuple[PersonalId, Sequence]
"""``[writer, sequence]``: an operation that a concurrent edit was made upon."""

Selection = tuple[Count, Count]
"""``[start, end)`` in Unicode characters."""

Stream = Annotated[Literal["stdout", "stderr"], Meta(extra={"classification": "metadata"})]
Outcome = Annotated[
    Literal["succeeded", "failed", "timed_out", "cancelled", "lost"], Meta(extra={"classification": "metadata"})
]


class DocumentEditedPayload(Struct, gc=False, omit_defaults=True):
    """An edit: patches in Unicode characters, applied one after the other."""

    document_id: Annotated[Id, Meta(description="The document edited.")]
    base_sequence: Annotated[
        Count, Meta(description="Last operation the writer had applied before this one; 0 for none.")
    ]
    patches: Annotated[
        list[Patch],
        Meta(
            min_length=1,
            description="`[position, deleted, inserted]` in Unicode characters, applied one after the other.",
        ),
    ]
    parents: Annotated[
        list[Parent] | None,
        Meta(description="`[writer, sequence]` of the operations that a concurrent (CRDT) edit was made upon."),
    ] = None
    checksum: Annotated[Crc32 | None, Meta(description="CRC-32 of the UTF-8 text after this operation.")] = None


class DocumentOpenedPayload(Struct, gc=False, omit_defaults=True):
    """A session shows a document."""

    document_id: Annotated[Id, Meta(description="The document shown.")]
    language: Annotated[Label | None, Meta(description="Programming language, such as `python`.")] = None


class DocumentClosedPayload(Struct, gc=False, omit_defaults=True):
    """A session no longer shows a document."""

    document_id: Annotated[Id, Meta(description="The document no longer shown.")]


class DocumentSnapshottedPayload(Struct, gc=False, omit_defaults=True):
    """The collaboration server saved the whole text as it stands after ``base_sequence``."""

    document_id: Annotated[Id, Meta(description="The document saved.")]
    base_sequence: Annotated[Count, Meta(description="Sequence of the last operation that the saved text holds.")]
    characters: Annotated[Count, Meta(description="Length of the text in Unicode characters.")]
    checksum: Annotated[Crc32, Meta(description="CRC-32 of the text in UTF-8.")]


class PresenceJoinedPayload(Struct, gc=False, omit_defaults=True):
    """A user's session enters the room."""

    display_name: Annotated[PersonalText | None, Meta(description="The name that others in the room see.")] = None
    client: Annotated[Label | None, Meta(description="The client and its version.")] = None


class PresenceLeftPayload(Struct, gc=False, omit_defaults=True):
    """A user's session leaves the room."""

    reason: Annotated[Label | None, Meta(description="Why the session ended, such as `closed` or `timeout`.")] = None


class PresenceHeartbeatPayload(Struct, gc=False, omit_defaults=True):
    """A user's session is still there."""

    document_id: Annotated[Id | None, Meta(description="The document in view.")] = None


class CursorMovedPayload(Struct, gc=False, omit_defaults=True):
    """A cursor or selection, in Unicode characters."""

    document_id: Annotated[Id, Meta(description="The document that the cursor is in.")]
    position: Annotated[Count, Meta(description="Offset of the cursor in Unicode characters.")]
    selection: Annotated[
        Selection | None, Meta(description="`[start, end)` in Unicode characters; absent when nothing is selected.")
    ] = None


class ChatPostedPayload(Struct, gc=False, omit_defaults=True):
    """A chat message."""

    text: Annotated[Text, Meta(description="The message.")]
    reply_to: Annotated[EventId | None, Meta(description="`event_id` of the message that this one answers.")] = None


class ExecutionQueuedPayload(Struct, gc=False, omit_defaults=True):
    """A user asked for a program to be run."""

    execution_id: Annotated[Id, Meta(description="The execution asked for.")]
    language: Annotated[Label, Meta(description="Programming language.")]
    document_id: Annotated[Id | None, Meta(description="The document that is run.")] = None
    image: Annotated[Label | None, Meta(description="Container image asked for.")] = None


class ExecutionStartedPayload(Struct, gc=False, omit_defaults=True):
    """A worker started the program."""

    execution_id: Annotated[Id, Meta(description="The execution started.")]
    worker_id: Annotated[Id, Meta(description="The worker that runs it.")]
    image: Annotated[Label | None, Meta(description="Container image in use.")] = None


class ExecutionOutputPayload(Struct, gc=False, omit_defaults=True):
    """A chunk of a program's output; chunks count from 1 along each stream."""

    execution_id: Annotated[Id, Meta(description="The execution that printed.")]
    stream: Annotated[Stream, Meta(description="Where it was printed.")]
    chunk: Annotated[Sequence, Meta(description="Number of the chunk, from 1 along each stream of the execution.")]
    text: Annotated[Text, Meta(description="What was printed.")]


class ExecutionFinishedPayload(Struct, gc=False, omit_defaults=True):
    """A program ended; what billing reads."""

    execution_id: Annotated[Id, Meta(description="The execution that ended.")]
    outcome: Annotated[Outcome, Meta(description="How it ended; `lost` when its worker vanished.")]
    cpu_ms: Annotated[Count, Meta(description="CPU time, billed.")]
    wall_ms: Annotated[Count, Meta(description="Time from start to end.")]
    peak_memory_bytes: Annotated[Count, Meta(description="Most memory in use at once.")]
    image: Annotated[Label | None, Meta(description="Container image that was used.")] = None
    exit_code: Annotated[
        Integer | None, Meta(description="The process' exit code; absent where it was killed or lost.")
    ] = None


class Event(Struct, tag_field="type", gc=False, omit_defaults=True):
    """The envelope that every event shares."""

    event_id: Annotated[EventId, Meta(description="UUIDv7, made once by the first writer and the same on every retry.")]
    version: Annotated[Version, Meta(description="Version of this type's contract.")]
    room_id: Annotated[Id, Meta(description="The room; a record holds events of one room.")]
    session_id: Annotated[PersonalId, Meta(description="One browser tab or one worker.")]
    user_id: Annotated[PersonalId, Meta(description="Who did it.")]
    ordering_key: Annotated[
        OrderingKey,
        Meta(
            description="What `sequence` counts along: `document:<id>`, `session:<id>` or `execution:<id>` as the type "
            "demands, `/<writer>` appended where several writers number their own operations."
        ),
    ]
    sequence: Annotated[
        Sequence, Meta(description="Contiguous from 1 along the ordering key, numbered by its single writer.")
    ]
    occurred_at: Annotated[Millis, Meta(description="The writer's clock, ms since epoch, kept as it came.")]
    received_at: Annotated[
        Millis,
        Meta(
            description="The collector's clock, ms since epoch (where there is none, the client library's at sending)."
        ),
    ]


class DocumentEdited(Event, tag="document.edited", gc=False):
    """An edit of a document."""

    payload: DocumentEditedPayload


class DocumentOpened(Event, tag="document.opened", gc=False):
    """A document was opened."""

    payload: DocumentOpenedPayload


class DocumentClosed(Event, tag="document.closed", gc=False):
    """A document was closed."""

    payload: DocumentClosedPayload


class DocumentSnapshotted(Event, tag="document.snapshotted", gc=False):
    """A document's text was saved."""

    payload: DocumentSnapshottedPayload


class PresenceJoined(Event, tag="presence.joined", gc=False):
    """A session entered the room."""

    payload: PresenceJoinedPayload


class PresenceLeft(Event, tag="presence.left", gc=False):
    """A session left the room."""

    payload: PresenceLeftPayload


class PresenceHeartbeat(Event, tag="presence.heartbeat", gc=False):
    """A session is still in the room."""

    payload: PresenceHeartbeatPayload


class CursorMoved(Event, tag="cursor.moved", gc=False):
    """A cursor moved."""

    payload: CursorMovedPayload


class ChatPosted(Event, tag="chat.posted", gc=False):
    """A chat message."""

    payload: ChatPostedPayload


class ExecutionQueued(Event, tag="execution.queued", gc=False):
    """An execution was asked for."""

    payload: ExecutionQueuedPayload


class ExecutionStarted(Event, tag="execution.started", gc=False):
    """An execution started."""

    payload: ExecutionStartedPayload


class ExecutionOutput(Event, tag="execution.output", gc=False):
    """An execution printed something."""

    payload: ExecutionOutputPayload


class ExecutionFinished(Event, tag="execution.finished", gc=False):
    """An execution ended."""

    payload: ExecutionFinishedPayload


AnyEvent = (
    DocumentEdited
    | DocumentOpened
    | DocumentClosed
    | DocumentSnapshotted
    | PresenceJoined
    | PresenceLeft
    | PresenceHeartbeat
    | CursorMoved
    | ChatPosted
    | ExecutionQueued
    | ExecutionStarted
    | ExecutionOutput
    | ExecutionFinished
)

EVENT_TYPES: Final[dict[str, type[Event]]] = {str(struct.__struct_config__.tag): struct for struct in AnyEvent.__args__}
"""Type name → Struct of its latest version, in the contract's order."""

LATEST_VERSIONS: Final[dict[str, int]] = dict.fromkeys(EVENT_TYPES, 1)
"""Type name → its latest version."""
