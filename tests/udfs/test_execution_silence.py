"""An execution that falls silent is taken for lost, by the room's clock; whatever comes later is the truth."""

from itertools import pairwise

import pytest
from example_rooms import EXECUTION, chat, finished, output, queued, started
from stream import ARRIVED_MS, Stream

from udfs.rows import ExecutionOutcomeRow
from udfs.rules import DEFAULT_RULES, Rules
from udfs.state import KeyStates, RoomState, read_room
from udfs.timer import next_timer

SILENCE_MS = DEFAULT_RULES.execution_silence_ms


def outcomes(stream: Stream) -> list[ExecutionOutcomeRow]:
    return stream.rows.get("execution_outcomes", [])


def told(stream: Stream) -> list[tuple[int, str, str]]:
    return [(row.revision, row.outcome, row.decided_by) for row in outcomes(stream)]


def running(rules: Rules | None = None) -> Stream:
    stream = Stream(rules=rules)
    stream.send(queued(1), started(2), output(3))
    return stream


def test_a_timer_takes_a_silent_execution_for_lost():
    stream = running()
    stream.fire(SILENCE_MS - 1)
    assert outcomes(stream) == []
    stream.fire(SILENCE_MS)
    (row,) = outcomes(stream)
    assert (row.revision, row.outcome, row.decided_by) == (1, "lost", "silence")
    assert (row.event_id, row.finished_at) == (output(3).event_id, output(3).occurred_at)
    assert (row.received_at, row.wall_ms) == (ARRIVED_MS + SILENCE_MS, 1000)


def test_the_next_record_takes_it_for_lost_before_it_is_read_itself():
    stream = running()
    stream.send(finished(4), after_ms=SILENCE_MS)
    assert told(stream) == [(1, "lost", "silence"), (2, "succeeded", "event")]


def test_it_is_lost_from_the_moment_its_silence_had_lasted_however_late_that_is_noticed():
    noticed_late, in_time = running(), running()
    noticed_late.send(chat(1), after_ms=10 * SILENCE_MS)
    in_time.fire(SILENCE_MS + 7)
    assert outcomes(noticed_late) == outcomes(in_time)


def test_events_of_the_worker_are_signs_of_life_and_others_are_not():
    stream = running()
    stream.send(output(4), after_ms=SILENCE_MS - 1)
    stream.send(chat(1), queued(5), after_ms=SILENCE_MS + 5)
    assert outcomes(stream) == []
    stream.send(chat(2), after_ms=2 * SILENCE_MS - 1)
    assert told(stream) == [(1, "lost", "silence")]


def test_an_event_that_waits_for_those_before_it_is_a_sign_of_life_when_it_comes():
    stream = running()
    stream.send(finished(5), after_ms=SILENCE_MS - 1)
    stream.fire(SILENCE_MS)
    assert outcomes(stream) == []
    stream.fire(SILENCE_MS + DEFAULT_RULES.gap_timeout_ms)
    assert told(stream) == [(1, "succeeded", "event")]


def test_one_of_which_only_output_came_is_running_too():
    stream = Stream()
    stream.send(output(1))
    stream.fire(SILENCE_MS)
    (row,) = outcomes(stream)
    assert (row.outcome, row.started_at, row.wall_ms) == ("lost", None, 0)


@pytest.mark.parametrize("event", [started(4), output(4)])
def test_a_lost_execution_that_shows_signs_of_life_ends_again(event):
    silent, ended = running(), running()
    for stream in (silent, ended):
        stream.fire(SILENCE_MS)
        stream.send(event, after_ms=SILENCE_MS + 10)
        assert len(outcomes(stream)) == 1, "no row while it runs"
        assert stream.rows["executions"][-1].status == "started"
        assert read_room(stream.room).live.running.keys() == {EXECUTION}
    silent.fire(2 * SILENCE_MS + 10)
    assert told(silent) == [(1, "lost", "silence"), (2, "lost", "silence")]
    assert outcomes(silent)[-1].event_id == event.event_id
    ended.send(finished(5), after_ms=SILENCE_MS + 20)
    assert told(ended) == [(1, "lost", "silence"), (2, "succeeded", "event")]


def test_a_late_queued_event_completes_the_lost_row_and_does_not_open_it_again():
    stream = Stream()
    stream.send(started(2))
    stream.fire(2 * SILENCE_MS)
    stream.send(queued(1), after_ms=2 * SILENCE_MS)
    first, second = outcomes(stream)
    assert (second.revision, second.outcome, second.user_id) == (2, "lost", "ada")
    assert (first.event_id, first.received_at) == (second.event_id, second.received_at)
    stream.fire(9 * SILENCE_MS)
    assert len(outcomes(stream)) == 2


def test_a_true_outcome_is_never_taken_for_lost():
    stream = running()
    stream.send(finished(4))
    stream.send(output(5), after_ms=5)
    stream.fire(9 * SILENCE_MS)
    assert told(stream) == [(1, "succeeded", "event"), (2, "succeeded", "event")]
    assert read_room(stream.room).watched == {}


def test_the_live_room_and_the_live_document_show_it():
    stream = running()
    assert stream.rows["rooms"][-1].running_executions == [EXECUTION]
    stream.fire(SILENCE_MS)
    assert stream.rows["rooms"][-1].running_executions == []
    row = stream.rows["executions"][-1]
    assert (row.status, row.finished_at, row.cpu_ms) == ("lost", output(3).occurred_at, None)


def test_no_more_executions_run_than_may_be_watched_the_longest_silent_gives_way():
    stream = Stream(rules=Rules(watched_executions=2))
    for number in range(3):
        stream.send(started(1, execution=f"run-{number}"), after_ms=number)
    (row,) = outcomes(stream)
    assert (row.execution_id, row.outcome, row.decided_by) == ("run-0", "lost", "limit")
    assert row.received_at == ARRIVED_MS + 2
    stream.send(finished(2, execution="run-0"), after_ms=10)
    assert [row.execution_id for row in outcomes(stream)] == ["run-0", "run-0"]
    assert told(stream)[-1] == (2, "succeeded", "event")


def test_a_room_without_anything_that_waits_or_runs_asks_for_no_timer():
    assert next_timer(RoomState(clock=ARRIVED_MS), DEFAULT_RULES, ARRIVED_MS) is None


def test_the_timer_comes_after_the_first_deadline_and_not_much_later():
    lag_ms = 40
    for clock in (ARRIVED_MS, ARRIVED_MS + 600_123):
        state = RoomState(clock=clock, watched={"run-1": ARRIVED_MS, "run-2": clock})
        at = next_timer(state, DEFAULT_RULES, clock + lag_ms)
        assert at is not None
        assert 0 < at - (ARRIVED_MS + SILENCE_MS + lag_ms) <= SILENCE_MS / 16
        state.waiting["document:main-py"] = clock - 300
        at = next_timer(state, DEFAULT_RULES, clock + lag_ms)
        assert at is not None
        assert 0 < at - (clock + lag_ms + 700) <= DEFAULT_RULES.gap_timeout_ms


def test_a_busy_room_asks_for_few_timers():
    asked = {
        next_timer(RoomState(clock=at, watched={"run-1": at}), DEFAULT_RULES, at + 40)
        for at in range(ARRIVED_MS, ARRIVED_MS + SILENCE_MS, 100)
    }
    assert len(asked) <= 17


def test_a_room_whose_clock_stands_still_is_looked_at_again_and_not_at_once():
    state = RoomState(clock=ARRIVED_MS, watched={"run-1": ARRIVED_MS - 2 * SILENCE_MS})
    times = [ARRIVED_MS + 3_600_000]
    for _ in range(3):
        at = next_timer(state, DEFAULT_RULES, times[-1])
        assert at is not None
        times.append(at)
    assert all(later > earlier for earlier, later in pairwise(times))


def test_an_execution_has_ended_with_its_outcome_and_a_session_never():
    def ended(stream: Stream) -> list[str]:
        keys = KeyStates(stream.keys.get)
        for ordering_key in stream.keys:
            assert keys[ordering_key]
        return keys.ended()

    stream = running()
    stream.send(chat(1))
    assert ended(stream) == []
    stream.send(finished(4))
    assert ended(stream) == [f"execution:{EXECUTION}"]
