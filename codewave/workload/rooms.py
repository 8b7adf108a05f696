"""Rooms: generated people who come and go, write, talk and run programs; deterministic, and as long as asked for.

A room is a small simulation. Each session and each execution is a story: a generator that acts when it is resumed
and yields the ms until it wants to act again. The room resumes its stories in the order of its virtual clock.
"""

import heapq
from collections.abc import Generator, Iterator
from typing import Any, Final

from msgspec import Struct

from codewave.client.identity import RANDOM_BITS, uuid7
from codewave.contract.events import (
    AnyEvent,
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
    PresenceHeartbeat,
    PresenceHeartbeatPayload,
    PresenceJoined,
    PresenceJoinedPayload,
    PresenceLeft,
    PresenceLeftPayload,
)
from codewave.contract.text import checksum_of
from codewave.workload.executions import execution_story
from codewave.workload.ids import random_for, token_for
from codewave.workload.options import EVENTS_PER_ROOM_SECOND, WorkloadOptions
from codewave.workload.steps import Step
from codewave.workload.writing import Draft, excerpt

Story = Generator[int, None, None]

LANGUAGES: Final = ("python", "rust", "typescript", "go")
OPERATIONS_PER_CHECKSUM: Final = 100
OPERATIONS_PER_SNAPSHOT: Final = 400
_MEAN_ACTION_MS: Final = 1000 / EVENTS_PER_ROOM_SECOND * 1.06
"""Between two actions in a room; a run is one action of about ten events, most others are one event."""
_EDIT, _CURSOR, _HEARTBEAT, _CHAT, _SWITCH = 0.660, 0.935, 0.965, 0.985, 0.993
"""Upper ends of each action's share; what is left starts a run."""


class Writer(Struct, gc=False):
    """One browser tab in a room."""

    session_id: str
    user_id: str
    draft: Draft
    cursor: int = 0
    sequence: int = 0
    """Of its own ordering key, ``session:<id>``."""


class Room:
    """One generated room."""

    def __init__(self, number: int, source: int, options: WorkloadOptions) -> None:
        """:param source: number of the room among the workload's sources."""
        self.random = random_for(options.seed, options.salt, "room", number)
        self.name = f"{number:05d}-{token_for(options.seed, options.salt, 'room', number)}"
        self.room_id = f"room-{self.name}"
        self.options = options
        self.language = self.random.choice(LANGUAGES)
        self.drafts = [Draft(f"doc-{self.name}-{index}") for index in range(1, 2 + self.random.randrange(3))]
        self.now_ms = 0
        self.users = 2 + self.random.randrange(4)
        self.executions = 0
        self.sessions = 0
        self._number = number
        self._source = source
        self._agenda: list[tuple[int, int, Story]] = []
        self._stories = 0
        self._made: list[Step] = []

    @property
    def ending(self) -> bool:
        """Whether the run's virtual length is over: whoever acts now concludes."""
        return self.now_ms >= self.options.seconds * 1000

    def steps(self) -> Iterator[Step]:
        """The room's events in the order of its virtual clock; ends when everybody has left and every run is over."""
        for index in range(self.users):
            self.begin(_visits(self, f"user-{self._number:05d}-{index + 1}"), self.random.randrange(1000))
        while self._agenda:
            self.now_ms, order, story = heapq.heappop(self._agenda)
            delay = next(story, None)
            if delay is not None:
                heapq.heappush(self._agenda, (self.now_ms + delay, order, story))
            yield from self._made
            self._made.clear()

    def begin(self, story: Story, delay_ms: int = 0) -> None:
        """Resume ``story`` for the first time in ``delay_ms``."""
        self._stories += 1
        heapq.heappush(self._agenda, (self.now_ms + delay_ms, self._stories, story))

    def emit(  # noqa: PLR0913, PLR0917 - the envelope's fields
        self,
        kind: type[AnyEvent],
        payload: Any,
        session_id: str,
        user_id: str,
        ordering_key: str,
        sequence: int,
        text: str | None = None,
    ) -> None:
        """Make one event, now."""
        time_ms = self.options.start_ms + self.now_ms
        event = kind(
            event_id=uuid7(time_ms, self.random.getrandbits(RANDOM_BITS)),
            version=1,
            room_id=self.room_id,
            session_id=session_id,
            user_id=user_id,
            ordering_key=ordering_key,
            sequence=sequence,
            occurred_at=time_ms,
            received_at=time_ms,
            payload=payload,
        )
        self._made.append(Step(self.now_ms, self._source, event, text))

    def emit_in_session(self, kind: type[AnyEvent], payload: Any, writer: Writer) -> None:
        """Make one event along the writer's session."""
        writer.sequence += 1
        key = f"session:{writer.session_id}"
        self.emit(kind, payload, writer.session_id, writer.user_id, key, writer.sequence)

    def emit_in_document(self, kind: type[AnyEvent], payload: Any, writer: Writer, text: str | None = None) -> None:
        """Make one event along the document that the writer shows."""
        draft = writer.draft
        draft.sequence += 1
        self.emit(kind, payload, writer.session_id, writer.user_id, draft.ordering_key, draft.sequence, text)


def _visits(room: Room, user_id: str) -> Story:
    """A user's tabs, one after the other, until the run ends."""
    while not room.ending:
        room.sessions += 1
        writer = Writer(f"tab-{room.name}-{room.sessions}", user_id, room.random.choice(room.drafts))
        joined = PresenceJoinedPayload(display_name=f"Person {user_id[-1]}", client="browser")
        room.emit_in_session(PresenceJoined, joined, writer)
        _open(room, writer)
        yield from _actions(room, writer)
        _close(room, writer)
        room.emit_in_session(PresenceLeft, PresenceLeftPayload("closed"), writer)
        yield 500 + room.random.randrange(4_500)


def _actions(room: Room, writer: Writer) -> Story:
    rate = 1 / (_MEAN_ACTION_MS * room.users)
    for _ in range(200 + room.random.randrange(1_000)):
        yield min(int(room.random.expovariate(rate)) + 1, 5_000)
        if room.ending:
            return
        _act(room, writer)


def _act(room: Room, writer: Writer) -> None:
    choice = room.random.random()
    if choice < _EDIT:
        _edit(room, writer)
    elif choice < _CURSOR:
        _move_cursor(room, writer)
    elif choice < _HEARTBEAT:
        payload = PresenceHeartbeatPayload(writer.draft.document_id)
        room.emit_in_session(PresenceHeartbeat, payload, writer)
    elif choice < _CHAT:
        text = excerpt(room.random, 5 + int(room.random.random() ** 2 * 300))
        room.emit_in_session(ChatPosted, ChatPostedPayload(text), writer)
    elif choice < _SWITCH:
        _close(room, writer)
        writer.draft, writer.cursor = room.random.choice(room.drafts), 0
        _open(room, writer)
    else:
        room.begin(execution_story(room, writer.session_id, writer.user_id, writer.draft.document_id))


def _edit(room: Room, writer: Writer) -> None:
    draft = writer.draft
    base = draft.sequence
    patches, writer.cursor = draft.edit(room.random, writer.cursor)
    checksum = None if draft.operations % OPERATIONS_PER_CHECKSUM else checksum_of(draft.text)
    payload = DocumentEditedPayload(draft.document_id, base, patches, None, checksum)
    room.emit_in_document(DocumentEdited, payload, writer, draft.text)
    if draft.operations % OPERATIONS_PER_SNAPSHOT == 0:
        _snapshot(room, writer)


def _snapshot(room: Room, writer: Writer) -> None:
    draft = writer.draft
    payload = DocumentSnapshottedPayload(draft.document_id, draft.sequence, len(draft.text), checksum_of(draft.text))
    room.emit_in_document(DocumentSnapshotted, payload, writer)


def _move_cursor(room: Room, writer: Writer) -> None:
    characters = len(writer.draft.text)
    writer.cursor = int(room.random.random() * (characters + 1))
    selected = room.random.random() < 0.1
    selection = (writer.cursor, min(writer.cursor + 12, characters)) if selected else None
    room.emit_in_session(CursorMoved, CursorMovedPayload(writer.draft.document_id, writer.cursor, selection), writer)


def _open(room: Room, writer: Writer) -> None:
    room.emit_in_document(DocumentOpened, DocumentOpenedPayload(writer.draft.document_id, room.language), writer)


def _close(room: Room, writer: Writer) -> None:
    room.emit_in_document(DocumentClosed, DocumentClosedPayload(writer.draft.document_id), writer)


def rooms(options: WorkloadOptions, first_source: int = 0) -> list[Room]:
    """The rooms of a workload, as sources numbered from ``first_source``."""
    return [Room(number, first_source + number - 1, options) for number in range(1, options.rooms + 1)]
