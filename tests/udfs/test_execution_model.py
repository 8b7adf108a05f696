"""Random lives of executions against a naive model: an outcome is a function of the accepted events."""

from copy import deepcopy
from itertools import groupby
from typing import Any

from example_rooms import EXECUTION, GRACE, ROOM, START_MS, chat, finished, output, queued, started
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from stream import Stream

from codewave.contract.events import ExecutionFinished, ExecutionOutput, ExecutionQueued, ExecutionStarted
from udfs.execution import BY_SILENCE, ExecutionEvent, ExecutionState, advance, close
from udfs.rules import DEFAULT_RULES

SILENCE_MS = DEFAULT_RULES.execution_silence_ms
END_MS = 40 * SILENCE_MS
KINDS = (queued, started, output, output, finished, finished)
PAUSES_MS = (0, 300, 999, 1_000, 5_000, SILENCE_MS - 1, SILENCE_MS, 2 * SILENCE_MS)


def event_of(kind: Any, sequence: int, execution: str = EXECUTION) -> ExecutionEvent:
    """An event whose content depends on its place, so that it matters which one has the last word."""
    at = START_MS + sequence * 1000 + (7 * sequence) % 5
    if kind is finished:
        outcome = ("succeeded", "failed", "timed_out", "lost")[sequence % 4]
        return finished(sequence, outcome, cpu_ms=sequence, execution=execution, at=at)
    if kind is output:
        return output(sequence, "é" * sequence, execution=execution, at=at)
    event: ExecutionEvent = kind(sequence, execution=execution, at=at, **({"by": GRACE} if sequence % 2 else {}))
    event.payload.image = f"image-{sequence}" if sequence % 3 else None
    return event


def lives(execution: str = EXECUTION) -> st.SearchStrategy[list[ExecutionEvent]]:
    """Events of an execution in any order: also several of a kind, none of another, and any that show it ended."""
    kinds = st.lists(st.sampled_from(KINDS), min_size=1, max_size=9)
    events = kinds.map(lambda chosen: [event_of(kind, place + 1, execution) for place, kind in enumerate(chosen)])
    return events.flatmap(st.permutations)


def last(events: list[ExecutionEvent], kind: Any) -> Any:
    return max((event for event in events if isinstance(event, kind)), key=lambda one: one.sequence, default=None)


def known(events: list[ExecutionEvent]) -> dict[str, Any]:
    """What a row says beside how it ended."""
    asked, began = last(events, ExecutionQueued), last(events, ExecutionStarted)
    outputs = [event.payload.text for event in events if isinstance(event, ExecutionOutput)]
    ended = last(events, ExecutionFinished)
    images = [event.payload.image for event in (ended, began, asked) if event and event.payload.image]
    return {
        "user_id": asked and asked.user_id,
        "session_id": asked and asked.session_id,
        "document_id": asked and asked.payload.document_id,
        "language": asked and asked.payload.language,
        "image": images[0] if images else None,
        "worker_id": began and began.payload.worker_id,
        "queued_at": asked and asked.occurred_at,
        "started_at": began and began.occurred_at,
        "output_chunks": len(outputs),
        "output_bytes": sum(len(text.encode()) for text in outputs),
    }


def told(events: list[ExecutionEvent]) -> dict[str, Any] | None:
    """What the latest finished event says."""
    ended = last(events, ExecutionFinished)
    if ended is None:
        return None
    names = ("outcome", "exit_code", "cpu_ms", "wall_ms", "peak_memory_bytes")
    return {name: getattr(ended.payload, name) for name in names} | {
        "finished_at": ended.occurred_at,
        "received_at": ended.received_at,
        "event_id": ended.event_id,
        "decided_by": "event",
    }


def silenced(events: list[ExecutionEvent], at: int) -> dict[str, Any]:
    """How an execution ends that falls silent."""
    heard = last(events, ExecutionStarted | ExecutionOutput)
    began = last(events, ExecutionStarted)
    return {
        "outcome": "lost",
        "exit_code": None,
        "cpu_ms": 0,
        "wall_ms": max(0, heard.occurred_at - began.occurred_at) if began else 0,
        "peak_memory_bytes": 0,
        "finished_at": heard.occurred_at,
        "received_at": at,
        "event_id": heard.event_id,
        "decided_by": "silence",
    }


class Model:
    """Recomputes everything from the list of all events at each step, and writes a row where it says another thing."""

    def __init__(self) -> None:
        self.events: list[ExecutionEvent] = []
        self.lost: dict[str, Any] | None = None
        self.written: dict[str, Any] | None = None
        self.rows: list[dict[str, Any]] = []

    def take(self, event: ExecutionEvent) -> None:
        self.events.append(event)
        if isinstance(event, ExecutionStarted | ExecutionOutput) and told(self.events) is None:
            self.lost = self.written = None
        self._write()

    def fall_silent(self, at: int) -> None:
        self.lost = silenced(self.events, at)
        self._write()

    @property
    def runs(self) -> bool:
        signs = any(isinstance(event, ExecutionStarted | ExecutionOutput) for event in self.events)
        return signs and told(self.events) is None and self.lost is None

    def _write(self) -> None:
        ending = told(self.events) or self.lost
        says = ending and known(self.events) | ending
        if says is not None and says != self.written:
            self.written = says
            self.rows.append(says | {"revision": len(self.rows) + 1, "execution_id": EXECUTION, "room_id": ROOM})


@given(events=lives(), silences=st.sets(st.integers(0, 8)))
def test_each_row_is_what_a_model_says_that_starts_over_at_every_event(
    events: list[ExecutionEvent], silences: set[int]
) -> None:
    model, state, rows = Model(), ExecutionState(0), []
    for place, event in enumerate(events):
        model.take(event)
        state, row = advance(state, event)
        rows += [row] if row else []
        assert state.runs == model.runs
        if place in silences and model.runs:
            model.fall_silent(place)
            rows.append(close(state, EXECUTION, ROOM, place, BY_SILENCE))
    assert [structs.asdict(row) for row in rows] == model.rows


Sent = tuple[int, list[Any]]
"""When a record arrives, ms after the first, and its events; a record of chat moves the clock alone."""


@st.composite
def sendings(draw: st.DrawFn) -> list[Sent]:
    """Two executions' events and repeats of them, in any order and any batching, with pauses of any length."""
    events = [*draw(lives("run-1")), *draw(lives("run-2"))]
    events = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=4))))
    at, sent = 0, []
    while events:
        count = draw(st.integers(1, 4))
        sent.append((at, events[:count]))
        events = events[count:]
        at += draw(st.sampled_from(PAUSES_MS))
    return sent


def play(sent: list[Sent], timers: list[int] = ()) -> Stream:  # type: ignore[assignment]
    """Send it all, with timers at these times too, and wait until nothing runs any more."""
    stream = Stream()
    steps = [(at, 1, events) for at, events in sent] + [(at, 0, []) for at in timers]
    for at, is_record, events in sorted(steps, key=lambda step: step[:2]):
        if is_record:
            stream.send(*events, after_ms=at)
        else:
            stream.fire(at)
    # Twice: the first closes gaps, which may show for the first time that something runs.
    stream.fire(END_MS)
    stream.fire(2 * END_MS)
    return stream


def outcomes(stream: Stream) -> dict[str, list[dict[str, Any]]]:
    rows = sorted(stream.rows.get("execution_outcomes", []), key=lambda row: (row.execution_id, row.revision))
    return {
        name: [structs.asdict(row) for row in group] for name, group in groupby(rows, key=lambda row: row.execution_id)
    }


@given(sent=sendings())
def test_the_last_revision_is_a_function_of_the_set_of_events(sent: list[Sent]) -> None:
    stream = play(sent)
    rows = outcomes(stream)
    for execution in ("run-1", "run-2"):
        unique = {e.sequence: e for _, batch in sent for e in batch if e.payload.execution_id == execution}
        events = list(unique.values())
        found = rows.get(execution, [])
        assert [row["revision"] for row in found] == list(range(1, len(found) + 1))
        ending = told(events)
        if ending is None and any(isinstance(event, ExecutionStarted | ExecutionOutput) for event in events):
            ending = silenced(events, found[-1]["received_at"])
        assert bool(found) == bool(ending)
        if ending:
            said = {"execution_id": execution, "room_id": ROOM, "revision": len(found)}
            assert found[-1] == known(events) | ending | said


@given(sent=sendings(), timers=st.lists(st.integers(0, END_MS // 2), max_size=8))
def test_whether_timers_or_the_next_records_close_them_changes_no_outcome(sent: list[Sent], timers: list[int]) -> None:
    assert outcomes(play(sent, timers)) == outcomes(play(sent))


@given(sent=sendings(), data=st.data())
def test_in_any_batching_the_rows_are_the_same(sent: list[Sent], data: st.DataObject) -> None:
    """Records that arrive at the same time may be cut anywhere."""
    cut = []
    for at, events in sent:
        place = data.draw(st.integers(0, len(events)))
        cut += [(at, events[:place]), (at, events[place:])]
    assert outcomes(play(cut)) == outcomes(play(sent))


@given(sent=sendings(), data=st.data())
def test_a_replay_from_an_earlier_state_makes_the_same_rows(sent: list[Sent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sent)))
    stream = Stream()
    for at, events in sent[:place]:
        stream.send(*events, after_ms=at)
    saved = deepcopy(stream)

    def rest(of: Stream) -> list[Any]:
        made = [of.send(*events, after_ms=at) for at, events in sent[place:]]
        return [*made, of.send(chat(1), after_ms=END_MS), of.fire(2 * END_MS)]

    assert rest(stream) == rest(saved)
