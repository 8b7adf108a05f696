"""One execution's life, from queued to its outcome."""

from msgspec import Struct

from codewave.contract.events import ExecutionFinished, ExecutionOutput, ExecutionQueued, ExecutionStarted
from udfs.rows import ExecutionOutcomeRow, ExecutionStatusRow

ExecutionEvent = ExecutionQueued | ExecutionStarted | ExecutionOutput | ExecutionFinished


class ExecutionState(Struct, array_like=True, gc=False):
    """What is known of one execution so far; times in ms since epoch."""

    first_received_at: int
    user_id: str | None = None
    session_id: str | None = None
    document_id: str | None = None
    language: str | None = None
    image: str | None = None
    worker_id: str | None = None
    queued_at: int | None = None
    started_at: int | None = None
    output_chunks: int = 0
    output_bytes: int = 0
    revision: int = 0
    """Of the outcome last written; 0 while the execution runs."""
    outcome: str | None = None


def advance(state: ExecutionState | None, event: ExecutionEvent) -> tuple[ExecutionState, ExecutionOutcomeRow | None]:
    """Apply an accepted lifecycle event.

    :returns: the new state, and the outcome row where the event decides the outcome: revision 1, or the next one
        where a later truth corrects it.
    """
    state = state or ExecutionState(event.received_at)
    if isinstance(event, ExecutionOutput):
        state.output_chunks += 1
        state.output_bytes += len(event.payload.text.encode())
        return state, None
    if isinstance(event, ExecutionQueued):
        _queue(state, event)
        return state, None
    if isinstance(event, ExecutionStarted):
        state.started_at = event.occurred_at
        state.worker_id = event.payload.worker_id
        state.image = event.payload.image or state.image
        return state, None
    state.revision += 1
    state.outcome = event.payload.outcome
    state.image = event.payload.image or state.image
    return state, _outcome(state, event)


def _queue(state: ExecutionState, event: ExecutionQueued) -> None:
    payload = event.payload
    state.user_id, state.session_id = event.user_id, event.session_id
    state.document_id, state.language = payload.document_id, payload.language
    state.image = state.image or payload.image
    state.queued_at = event.occurred_at


def _outcome(state: ExecutionState, event: ExecutionFinished) -> ExecutionOutcomeRow:
    payload = event.payload
    return ExecutionOutcomeRow(
        execution_id=payload.execution_id,
        revision=state.revision,
        room_id=event.room_id,
        user_id=state.user_id,
        session_id=state.session_id,
        document_id=state.document_id,
        language=state.language,
        image=state.image,
        worker_id=state.worker_id,
        queued_at=state.queued_at,
        started_at=state.started_at,
        finished_at=event.occurred_at,
        received_at=event.received_at,
        outcome=payload.outcome,
        exit_code=payload.exit_code,
        cpu_ms=payload.cpu_ms,
        wall_ms=payload.wall_ms,
        peak_memory_bytes=payload.peak_memory_bytes,
        output_chunks=state.output_chunks,
        output_bytes=state.output_bytes,
        event_id=event.event_id,
    )


def status_row(state: ExecutionState, event: ExecutionEvent) -> ExecutionStatusRow:
    """The live document of the execution after ``event``; fields that ``event`` does not decide stay as they are."""
    finished = event.payload if isinstance(event, ExecutionFinished) else None
    return ExecutionStatusRow(
        execution_id=event.payload.execution_id,
        room_id=event.room_id,
        user_id=state.user_id,
        session_id=state.session_id,
        document_id=state.document_id,
        language=state.language,
        image=state.image,
        worker_id=state.worker_id,
        status=state.outcome or ("queued" if state.started_at is None else "started"),
        queued_at=state.queued_at,
        started_at=state.started_at,
        finished_at=event.occurred_at if finished else None,
        exit_code=finished.exit_code if finished else None,
        cpu_ms=finished.cpu_ms if finished else None,
        wall_ms=finished.wall_ms if finished else None,
        peak_memory_bytes=finished.peak_memory_bytes if finished else None,
        output_chunks=state.output_chunks,
        output_bytes=state.output_bytes,
        received_at=state.first_received_at,
    )
