"""What an outcome row says: of each kind the event with the highest sequence, whatever order they come in."""

import msgspec
import pytest
from example_rooms import ADA, EXECUTION, GRACE, ROOM, START_MS, WORKER, finished, output, queued, started
from stream import Stream

from udfs.execution import BY_EVENT, ExecutionState, advance, close
from udfs.rows import ExecutionOutcomeRow
from udfs.sequence import KeyState
from udfs.state import read_room

LATER_MS = 2_000
"""Past the gap timeout."""


def outcomes(stream: Stream) -> list[ExecutionOutcomeRow]:
    return stream.rows.get("execution_outcomes", [])


def revisions(stream: Stream) -> list[int]:
    return [row.revision for row in outcomes(stream)]


def with_gap(*missing: int) -> Stream:
    """An execution that went from queued to finished, whose numbers ``missing`` have not come yet."""
    stream = Stream()
    life = [queued(1), started(2), output(3, "hé\n"), finished(4)]
    stream.send(*[event for event in life if event.sequence not in missing])
    stream.send(after_ms=LATER_MS)
    return stream


def test_a_whole_life_makes_one_row_decided_by_its_last_event():
    (row,) = outcomes(with_gap())
    assert (row.revision, row.outcome, row.decided_by, row.event_id) == (1, "succeeded", BY_EVENT, finished(4).event_id)
    assert (row.user_id, row.language, row.worker_id, row.output_chunks, row.output_bytes) == (
        "ada",
        "python",
        "worker-3",
        1,
        4,
    )


def test_queued_alone_makes_no_row():
    stream = Stream()
    stream.send(queued(1))
    stream.fire(86_400_000)
    assert outcomes(stream) == []


def test_finished_alone_makes_a_row_with_what_is_known():
    (row,) = outcomes(with_gap(1, 2, 3))
    assert (row.user_id, row.started_at, row.output_chunks) == (None, None, 0)
    assert (row.outcome, row.cpu_ms) == ("succeeded", 120)


def test_a_late_queued_event_brings_the_user_in_the_next_revision():
    stream = with_gap(1)
    stream.send(queued(1), after_ms=LATER_MS)
    first, second = outcomes(stream)
    assert (first.revision, first.user_id) == (1, None)
    assert (second.revision, second.user_id, second.event_id) == (2, "ada", first.event_id)


def test_a_late_start_and_late_output_are_revisions_too_one_each():
    stream = with_gap(2, 3)
    stream.send(output(3, "hé\n"), started(2), after_ms=LATER_MS)
    assert [(row.revision, row.output_bytes, row.worker_id) for row in outcomes(stream)] == [
        (1, 0, None),
        (2, 4, None),
        (3, 4, "worker-3"),
    ]


def test_a_repeated_event_changes_nothing():
    stream = with_gap()
    stream.send(queued(1), started(2), output(3, "hé\n"), finished(4), after_ms=LATER_MS)
    assert revisions(stream) == [1]


def test_a_second_finished_event_with_a_higher_number_corrects_the_first():
    stream = with_gap()
    stream.send(finished(5, "failed", cpu_ms=7), after_ms=LATER_MS)
    assert [(row.revision, row.outcome, row.cpu_ms) for row in outcomes(stream)] == [
        (1, "succeeded", 120),
        (2, "failed", 7),
    ]


def test_a_finished_event_with_a_lower_number_comes_too_late_to_correct():
    stream = Stream()
    stream.send(queued(1), started(2), finished(4, "failed"))
    stream.send(after_ms=LATER_MS)
    stream.send(finished(3, "succeeded"), after_ms=LATER_MS)
    assert [row.outcome for row in outcomes(stream)] == ["failed"]
    assert stream.rows["execution_events"][-1].late, "it is stored all the same"


def test_a_late_event_fills_what_is_missing_and_overrides_nothing_newer():
    stream = Stream()
    stream.send(queued(2, by=GRACE), started(4), finished(5))
    stream.send(after_ms=LATER_MS)
    stream.send(queued(1, by=ADA), started(3, by=WORKER._replace(session_id="worker-9")), after_ms=LATER_MS)
    assert [(row.revision, row.user_id, row.worker_id) for row in outcomes(stream)] == [(1, "grace", "worker-3")]


def test_the_image_is_the_one_that_was_used_in_whatever_order_that_is_heard():
    events = [queued(1), started(2), finished(3)]
    for number, event in enumerate(events):
        event.payload.image = ("asked", "in use", None)[number]
    state = None
    for event in reversed(events):
        state, row = advance(state, event)
    assert row is not None
    assert row.image == "in use"


def test_two_writers_of_one_execution_make_one_outcome():
    """The browser numbers what it asks for, the worker what it does: both are the same execution."""
    stream = Stream()
    tab, worker = queued(1), [started(1), finished(2)]
    tab.ordering_key += "/tab-ada"
    for event in worker:
        event.ordering_key += "/worker-3"
    stream.send(*worker)
    stream.send(tab)
    assert [(row.revision, row.user_id, row.worker_id) for row in outcomes(stream)] == [
        (1, None, "worker-3"),
        (2, "ada", "worker-3"),
    ]


def test_the_live_document_follows_and_a_finished_one_stays_finished():
    stream = with_gap(2)
    assert stream.rows["executions"][-1].status == "succeeded"
    stream.send(started(2), after_ms=LATER_MS)
    row = stream.rows["executions"][-1]
    assert (row.status, row.worker_id, row.cpu_ms) == ("succeeded", "worker-3", 120)
    assert read_room(stream.room).live.running == {}, "a late start does not make it run again"


OLD_FIELDS = [START_MS, "ada", "tab-ada", "main-py", "python", "img", "worker-3", START_MS, START_MS + 5, 2, 9]
"""Of a running execution, as the state was stored before it knew sequences; revision and outcome follow."""


def old_state(revision: int, outcome: str | None) -> ExecutionState:
    data = msgspec.msgpack.encode([5, b"", [], {}, 0, [*OLD_FIELDS, revision, outcome]])
    state = msgspec.msgpack.decode(data, type=KeyState).execution
    assert state is not None
    return state


def test_the_state_of_a_running_execution_of_an_older_release_is_read_and_goes_on():
    _, row = advance(old_state(0, None), finished(5))
    assert row is not None
    assert (row.revision, row.user_id, row.worker_id, row.output_chunks) == (1, "ada", "worker-3", 2)


def test_an_execution_that_finished_under_an_older_release_is_never_taken_for_lost():
    state, row = advance(old_state(1, "succeeded"), output(5))
    assert (row, state.runs) == (None, False)
    state, row = advance(state, finished(6, "failed"))
    assert row is not None
    assert (row.revision, row.outcome, row.output_chunks) == (2, "failed", 3)


def test_the_room_of_an_older_release_is_read():
    assert read_room(msgspec.msgpack.encode([START_MS, "shard-1", {}, [{}, {}, 0, 0]])).watched == {}


@pytest.mark.parametrize(("last", "wall_ms"), [(START_MS + 700, 700), (START_MS - 300, 0)])
def test_one_taken_for_lost_ran_until_its_last_event_and_never_for_less_than_nothing(last: int, wall_ms: int):
    state, _ = advance(None, started(2, at=START_MS))
    state, _ = advance(state, output(3, at=last))
    row = close(state, EXECUTION, ROOM, START_MS + 900_000, "silence")
    assert (row.finished_at, row.wall_ms, row.cpu_ms, row.peak_memory_bytes) == (last, wall_ms, 0, 0)
    assert (row.event_id, row.received_at) == (output(3, at=last).event_id, START_MS + 900_000)
