"""Executions: the story of one program run, from queued to its outcome."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, Literal

from codewave.contract.events import (
    AnyEvent,
    ExecutionFinished,
    ExecutionFinishedPayload,
    ExecutionOutput,
    ExecutionOutputPayload,
    ExecutionQueued,
    ExecutionQueuedPayload,
    ExecutionStarted,
    ExecutionStartedPayload,
    Outcome,
)
from codewave.contract.limits import MIB
from codewave.workload.writing import excerpt

if TYPE_CHECKING:
    from codewave.workload.rooms import Room

_WORKERS: Final = 40
_CONCLUDE_MS: Final = 40
"""Longest pause of a run once the workload is over."""
_FAILURE_CODES: Final = (1, 1, 1, 2, 101, 139)

_OUTCOMES: Final[tuple[tuple[float, Outcome], ...]] = (
    (0.80, "succeeded"),
    (0.93, "failed"),
    (0.96, "timed_out"),
    (0.99, "cancelled"),
    (1.00, "lost"),
)
"""Upper end of each outcome's share."""


class _Execution:
    """One run and its ordering key's counter."""

    def __init__(self, room: Room, user_id: str) -> None:
        room.executions += 1
        self.room = room
        self.user_id = user_id
        self.execution_id = f"run-{room.name}-{room.executions}"
        self.worker_id = f"worker-{1 + room.random.randrange(_WORKERS):03d}"
        self.image = f"codewave/{room.language}:3"
        self.sequence = 0

    def emit(self, kind: type[AnyEvent], payload: Any, session_id: str) -> None:
        self.sequence += 1
        key = f"execution:{self.execution_id}"
        self.room.emit(kind, payload, session_id, self.user_id, key, self.sequence)

    def pause(self, shortest_ms: int, longest_ms: int) -> int:
        delay = shortest_ms + int(self.room.random.random() * (longest_ms - shortest_ms))
        return min(delay, _CONCLUDE_MS) if self.room.ending else delay


def execution_story(room: Room, session_id: str, user_id: str, document_id: str) -> Generator[int, None, None]:
    """Queued by a session, started by a worker, some output, an outcome; acts for ``user_id`` throughout.

    :yields: ms until the next event.
    """
    run = _Execution(room, user_id)
    queued = ExecutionQueuedPayload(run.execution_id, room.language, document_id, run.image)
    run.emit(ExecutionQueued, queued, session_id)
    outcome = _choose_outcome(room)
    unfinished = room.random.random() < room.options.unfinished
    yield run.pause(20, 400)
    if outcome == "cancelled" and not unfinished and room.random.random() < 0.5:
        _finish(run, outcome, session_id, wall_ms=0)
        return
    started_ms = room.now_ms
    run.emit(ExecutionStarted, ExecutionStartedPayload(run.execution_id, run.worker_id, run.image), run.worker_id)
    yield from _outputs(run)
    yield run.pause(5, 800)
    if not unfinished:
        _finish(run, outcome, run.worker_id, wall_ms=room.now_ms - started_ms)


def _choose_outcome(room: Room) -> Outcome:
    choice = room.random.random()
    return next(outcome for upper_end, outcome in _OUTCOMES if choice < upper_end)


def _outputs(run: _Execution) -> Generator[int, None, None]:
    source = run.room.random
    chunks: dict[Literal["stdout", "stderr"], int] = {"stdout": 0, "stderr": 0}
    for _ in range(int(source.random() * 15)):
        yield run.pause(5, 300)
        stream: Literal["stdout", "stderr"] = "stdout" if source.random() < 0.85 else "stderr"
        chunks[stream] += 1
        text = excerpt(source, 20 + int(source.random() ** 2 * 1500))
        payload = ExecutionOutputPayload(run.execution_id, stream, chunks[stream], text)
        run.emit(ExecutionOutput, payload, run.worker_id)


def _finish(run: _Execution, outcome: Outcome, session_id: str, wall_ms: int) -> None:
    source = run.room.random
    exit_codes = {"succeeded": 0, "failed": source.choice(_FAILURE_CODES), "timed_out": 124}
    payload = ExecutionFinishedPayload(
        execution_id=run.execution_id,
        outcome=outcome,
        cpu_ms=int(wall_ms * (0.05 + 0.9 * source.random())),
        wall_ms=wall_ms,
        peak_memory_bytes=int((8 + source.random() * 248) * MIB) if wall_ms else 0,
        image=run.image,
        exit_code=exit_codes.get(outcome),
    )
    run.emit(ExecutionFinished, payload, session_id)
