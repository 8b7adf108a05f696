"""One execution's life, from queued to its outcome, and what an outcome row says: a function of the accepted events.

Events are numbered by their writer, so of each kind (queued, started, finished) the one with the highest sequence has
the last word, in whatever order they come; output adds up. A `finished` event always beats the verdict that the
execution was lost, which is passed on one that shows it runs and then falls silent. The docs page *executions* has
the table of cases.
"""

from typing import Final

from msgspec import Struct

from codewave.contract.events import ExecutionFinished, ExecutionOutput, ExecutionQueued, ExecutionStarted
from udfs.rows import ExecutionOutcomeRow, ExecutionStatusRow

ExecutionEvent = ExecutionQueued | ExecutionStarted | ExecutionOutput | ExecutionFinished
SignOfLife = ExecutionStarted | ExecutionOutput | ExecutionFinished
"""What only a worker that runs the program sends."""

LOST: Final = "lost"
BY_EVENT: Final = "event"
"""``decided_by``: a `finished` event."""
BY_SILENCE: Final = "silence"
"""``decided_by``: no sign of life came for ``execution_silence_ms``."""
BY_LIMIT: Final = "limit"
"""``decided_by``: silent for longest when more than ``watched_executions`` ran in the room."""

Place = tuple[int, str]
"""Sequence and writer: the suffix of the ordering key, empty for an execution whose events one writer numbers."""

NOWHERE: Final[Place] = (0, "")


class Ending(Struct, array_like=True, gc=False):
    """How an execution ended."""

    place: Place
    event_id: str
    finished_at: int
    received_at: int
    outcome: str
    exit_code: int | None
    cpu_ms: int
    wall_ms: int
    peak_memory_bytes: int
    image: str | None
    decided_by: str


class ExecutionState(Struct, array_like=True, gc=False):
    """What is known of one execution so far; times in ms since epoch. New fields go to the end, with a default."""

    first_received_at: int
    user_id: str | None = None
    session_id: str | None = None
    document_id: str | None = None
    language: str | None = None
    image: str | None = None
    """That was asked for; states of releases before the next fields existed hold the one known last."""
    worker_id: str | None = None
    queued_at: int | None = None
    started_at: int | None = None
    output_chunks: int = 0
    output_bytes: int = 0
    revision: int = 0
    """Of the outcome last written; 0 before the first."""
    outcome: str | None = None
    """As last written; ``None`` while the execution runs, also when it runs again after it was taken for lost."""
    queued_place: Place = NOWHERE
    started_place: Place = NOWHERE
    started_image: str | None = None
    last_place: Place = NOWHERE
    """Of the started or output event with the highest sequence."""
    last_event_id: str = ""
    last_occurred_at: int = 0
    ending: Ending | None = None
    """``None`` beside an ``outcome`` in states of releases before this field existed."""

    @property
    def runs(self) -> bool:
        """Whether something shows that it was started, and nothing that it ended."""
        return self.outcome is None and (self.started_at is not None or self.output_chunks > 0)


def advance(state: ExecutionState | None, event: ExecutionEvent) -> tuple[ExecutionState, ExecutionOutcomeRow | None]:
    """Apply an accepted lifecycle event.

    :returns: the new state, and the next revision of the outcome row where the event decides the outcome or changes
        what the row says.
    """
    state = state or ExecutionState(event.received_at)
    execution_id, room_id = event.payload.execution_id, event.room_id
    before = outcome_row(state, execution_id, room_id)
    _apply(state, event)
    after = outcome_row(state, execution_id, room_id)
    if after is None or after == before:
        return state, None
    return state, _next_revision(state, after)


def close(state: ExecutionState, execution_id: str, room_id: str, at: int, decided_by: str) -> ExecutionOutcomeRow:
    """Take an execution that runs for lost; it ended with its last sign of life.

    :param at: the room's clock, ms since epoch.
    :returns: the next revision of its outcome row.
    """
    wall_ms = 0 if state.started_at is None else max(0, state.last_occurred_at - state.started_at)
    state.ending = Ending(
        place=NOWHERE,
        event_id=state.last_event_id,
        finished_at=state.last_occurred_at,
        received_at=at,
        outcome=LOST,
        exit_code=None,
        cpu_ms=0,
        wall_ms=wall_ms,
        peak_memory_bytes=0,
        image=None,
        decided_by=decided_by,
    )
    state.outcome = LOST
    return _next_revision(state, _row(state, state.ending, execution_id, room_id))


def _next_revision(state: ExecutionState, row: ExecutionOutcomeRow) -> ExecutionOutcomeRow:
    state.revision += 1
    row.revision = state.revision
    return row


def _apply(state: ExecutionState, event: ExecutionEvent) -> None:
    place = (event.sequence, event.ordering_key.partition("/")[2])
    if isinstance(event, ExecutionOutput):  # most are: asked first
        _live_on(state, event, place)
        state.output_chunks += 1
        text = event.payload.text
        state.output_bytes += len(text) if text.isascii() else len(text.encode())
    elif isinstance(event, ExecutionStarted):
        _live_on(state, event, place)
        _start(state, event, place)
    elif isinstance(event, ExecutionFinished):
        _finish(state, event, place)
    else:
        _queue(state, event, place)


def _live_on(state: ExecutionState, event: ExecutionStarted | ExecutionOutput, place: Place) -> None:
    if state.ending is not None and state.ending.decided_by != BY_EVENT:
        state.ending = state.outcome = None
    if place >= state.last_place:
        state.last_place, state.last_event_id, state.last_occurred_at = place, event.event_id, event.occurred_at


def _queue(state: ExecutionState, event: ExecutionQueued, place: Place) -> None:
    if place < state.queued_place:
        return
    payload = event.payload
    state.queued_place = place
    state.user_id, state.session_id = event.user_id, event.session_id
    state.document_id, state.language = payload.document_id, payload.language
    state.image = payload.image
    state.queued_at = event.occurred_at


def _start(state: ExecutionState, event: ExecutionStarted, place: Place) -> None:
    if place < state.started_place:
        return
    state.started_place = place
    state.started_at = event.occurred_at
    state.worker_id = event.payload.worker_id
    state.started_image = event.payload.image


def _finish(state: ExecutionState, event: ExecutionFinished, place: Place) -> None:
    if state.ending is not None and place < state.ending.place:
        return
    payload = event.payload
    state.ending = Ending(
        place=place,
        event_id=event.event_id,
        finished_at=event.occurred_at,
        received_at=event.received_at,
        outcome=payload.outcome,
        exit_code=payload.exit_code,
        cpu_ms=payload.cpu_ms,
        wall_ms=payload.wall_ms,
        peak_memory_bytes=payload.peak_memory_bytes,
        image=payload.image,
        decided_by=BY_EVENT,
    )
    state.outcome = payload.outcome


def outcome_row(state: ExecutionState, execution_id: str, room_id: str) -> ExecutionOutcomeRow | None:
    """What the outcome row of an execution that ended says now, under its last revision; ``None`` while it runs."""
    return None if state.ending is None else _row(state, state.ending, execution_id, room_id)


def _row(state: ExecutionState, ending: Ending, execution_id: str, room_id: str) -> ExecutionOutcomeRow:
    return ExecutionOutcomeRow(
        execution_id=execution_id,
        revision=state.revision,
        room_id=room_id,
        user_id=state.user_id,
        session_id=state.session_id,
        document_id=state.document_id,
        language=state.language,
        image=ending.image or state.started_image or state.image,
        worker_id=state.worker_id,
        queued_at=state.queued_at,
        started_at=state.started_at,
        finished_at=ending.finished_at,
        received_at=ending.received_at,
        outcome=ending.outcome,
        exit_code=ending.exit_code,
        cpu_ms=ending.cpu_ms,
        wall_ms=ending.wall_ms,
        peak_memory_bytes=ending.peak_memory_bytes,
        output_chunks=state.output_chunks,
        output_bytes=state.output_bytes,
        event_id=ending.event_id,
        decided_by=ending.decided_by,
    )


def status_row(state: ExecutionState, execution_id: str, room_id: str) -> ExecutionStatusRow:
    """The live document of the execution; fields that are not known leave the document's as they are."""
    ending = state.ending
    told = ending if ending and ending.decided_by == BY_EVENT else None
    return ExecutionStatusRow(
        execution_id=execution_id,
        room_id=room_id,
        user_id=state.user_id,
        session_id=state.session_id,
        document_id=state.document_id,
        language=state.language,
        image=(ending and ending.image) or state.started_image or state.image,
        worker_id=state.worker_id,
        status=state.outcome or ("started" if state.runs else "queued"),
        queued_at=state.queued_at,
        started_at=state.started_at,
        finished_at=ending.finished_at if ending else None,
        exit_code=told.exit_code if told else None,
        cpu_ms=told.cpu_ms if told else None,
        wall_ms=ending.wall_ms if ending else None,
        peak_memory_bytes=told.peak_memory_bytes if told else None,
        output_chunks=state.output_chunks,
        output_bytes=state.output_bytes,
        received_at=state.first_received_at,
    )
