"""Outcomes of executions close too: each accepted end has its one true outcome, and no revision is there twice."""

from pathlib import Path
from typing import Any

import pytest
from example_lake import ExampleLake
from example_rooms import EXECUTION, ROOM, START_MS, finished, output, queued, small_room, started
from msgspec import structs

from codewave.contract.events import Event
from codewave.lake.reconcile import Reconciliation, reconcile_lake
from codewave.lake.sent import LatestOutcome, compare_outcomes
from codewave.workload.chaos import Injected
from codewave.workload.steps import Step
from codewave.workload.truth import Truth, TruthCounter
from udfs.rows import ExecutionOutcomeRow


@pytest.fixture
def lake(tmp_path: Path) -> ExampleLake:
    return ExampleLake(tmp_path)


def outcome(revision: int = 1, execution: str = EXECUTION, **changes: Any) -> ExecutionOutcomeRow:
    """The outcome row that the stream writes for ``finished(4)``, with changes."""
    event = finished(4, execution=execution)
    payload = event.payload
    row = ExecutionOutcomeRow(
        execution_id=execution,
        revision=revision,
        room_id=ROOM,
        user_id="ada",
        session_id=None,
        document_id=None,
        language=None,
        image=payload.image,
        worker_id=None,
        queued_at=None,
        started_at=None,
        finished_at=event.occurred_at,
        received_at=event.received_at,
        outcome=payload.outcome,
        exit_code=payload.exit_code,
        cpu_ms=payload.cpu_ms,
        wall_ms=payload.wall_ms,
        peak_memory_bytes=payload.peak_memory_bytes,
        output_chunks=0,
        output_bytes=0,
        event_id=event.event_id,
        decided_by="event",
    )
    return structs.replace(row, **changes)


def lost(revision: int = 1, execution: str = EXECUTION) -> ExecutionOutcomeRow:
    return outcome(revision, execution, outcome="lost", decided_by="silence", cpu_ms=0, wall_ms=0)


def take_without_outcome(lake: ExampleLake, *events: Event) -> None:
    """Let events in whose outcome row gets lost."""
    lake.take(*events)
    lake.catalog.load_table("rooms.execution_outcomes").delete()


def truth_of(*events: Event) -> Truth:
    counter = TruthCounter()
    for event in events:
        counter.sent(Step(0, 0, event, "text"))  # type: ignore[arg-type]
    return counter.result([], Injected(), {}, seed=1, start_ms=START_MS, interrupted=False)


def test_a_corrected_outcome_closes_and_counts_as_one_execution(lake: ExampleLake) -> None:
    lake.take(*small_room())
    lake.take(finished(5, "failed"))
    result = reconcile_lake(lake.engine())
    assert (result.problems, result.closes) == ([], True)
    assert (result.executions, result.outcomes.executions, result.outcomes.rows_held) == (1, 1, 2)
    assert result.outcomes.lost == 0


def test_one_taken_for_lost_closes_and_is_counted(lake: ExampleLake) -> None:
    lake.take(queued(1), started(2), output(3))
    lake.append("execution_outcomes", lost())
    sent = truth_of(queued(1), started(2), output(3))
    result = reconcile_lake(lake.engine(), sent)
    assert (result.problems, result.closes, result.outcomes.lost) == ([], True, 1)
    assert sent.unfinished == 1


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "1 executions finished and have no outcome that says so, the first is run-1"),
        ([lost()], "1 executions finished and have no outcome that says so, the first is run-1"),
        ([outcome(), outcome()], "1 rows of execution_outcomes repeat a revision, the first of execution run-1"),
        ([outcome(2)], "1 executions have revisions that are not 1, 2, 3 …, the first is run-1"),
        ([outcome(1), outcome(3)], "1 executions have revisions that are not 1, 2, 3 …, the first is run-1"),
        *(
            (
                rows,
                "1 executions have a latest outcome other than their latest finished event's, the first is run-1",
            )
            for rows in (
                [outcome(outcome="failed")],
                [outcome(cpu_ms=1)],
                [outcome(wall_ms=1)],
                [outcome(event_id="another")],
                [outcome(1), lost(2)],
            )
        ),
    ],
)
def test_what_is_wrong_with_an_outcome_is_named(
    lake: ExampleLake, rows: list[ExecutionOutcomeRow], problem: str
) -> None:
    take_without_outcome(lake, queued(1), started(2), output(3), finished(4))
    if rows:
        lake.append("execution_outcomes", *rows)
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.difference, result.problems) == (False, 1, [problem])


def test_an_outcome_without_an_event_that_says_so_is_named(lake: ExampleLake) -> None:
    lake.take(queued(1), started(2, execution="run-2"))
    lake.append("execution_outcomes", outcome())
    assert reconcile_lake(lake.engine()).outcomes.differing == 1


def test_outcomes_older_than_the_events_that_are_kept_are_not_compared(lake: ExampleLake) -> None:
    lake.take(queued(1, execution="run-2"))
    lake.append("execution_outcomes", outcome(received_at=START_MS - 86_400_000))
    assert reconcile_lake(lake.engine()).closes


def test_a_row_written_before_there_was_a_reason_counts_as_decided_by_an_event(lake: ExampleLake) -> None:
    take_without_outcome(lake, queued(1), started(2), output(3), finished(4))
    lake.append("execution_outcomes", outcome(decided_by=None))
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.outcomes.lost) == (True, 0)


def two_executions(second_outcome: str = "failed") -> list[Event]:
    return [
        started(1),
        finished(2, cpu_ms=10),
        started(1, execution="run-2"),
        finished(2, second_outcome, cpu_ms=5, execution="run-2"),
    ]


def latest(**changes: Any) -> list[LatestOutcome]:
    """What the lake says of the two executions, with changes of the second."""
    row = {"execution_id": "run-2", "outcome": "failed", "decided_by": "event", "cpu_ms": 5, "wall_ms": 480}
    return [LatestOutcome(EXECUTION, "succeeded", "event", 10, 480), LatestOutcome(**(row | changes))]


def test_outcomes_that_are_the_truths_have_nothing_to_tell() -> None:
    assert compare_outcomes(truth_of(*two_executions()), latest()) == (0, [])


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        (
            {"outcome": "succeeded"},
            [
                "executions failed: 1 by what was sent, 0 by the outcomes",
                "executions succeeded: 1 by what was sent, 2 by the outcomes",
            ],
        ),
        ({"cpu_ms": 4}, ["cpu_ms: 15 by what was sent, 14 by the outcomes"]),
        ({"cpu_ms": 6}, ["cpu_ms: 15 by what was sent, 16 by the outcomes"]),
        ({"wall_ms": 0}, ["wall_ms: 960 by what was sent, 480 by the outcomes"]),
        (
            {"decided_by": "silence"},
            [
                "executions failed: 1 by what was sent, 0 by the outcomes",
                "cpu_ms: 15 by what was sent, 10 by the outcomes",
                "wall_ms: 960 by what was sent, 480 by the outcomes",
                "1 executions taken for lost, 0 sent unfinished",
            ],
        ),
        (
            {"outcome": "lost"},
            [
                "executions failed: 1 by what was sent, 0 by the outcomes",
                "executions lost: 0 by what was sent, 1 by the outcomes",
            ],
        ),
    ],
)
def test_outcomes_that_are_not_the_truths_are_named(changes: dict[str, Any], problems: list[str]) -> None:
    difference, found = compare_outcomes(truth_of(*two_executions()), latest(**changes))
    assert (sorted(found), difference) == (sorted(problems), len(problems))


def test_executions_of_other_workloads_do_not_matter_to_a_truth() -> None:
    other = LatestOutcome("run-9", "timed_out", "event", 99, 99)
    assert compare_outcomes(truth_of(*two_executions()), [*latest(), other]) == (0, [])


def test_where_not_every_execution_is_named_the_sums_must_at_least_be_reached() -> None:
    truth = truth_of(*two_executions())
    truth.keys, truth.keys_left_out = {}, 2
    other = LatestOutcome("run-9", "timed_out", "event", 99, 99)
    assert compare_outcomes(truth, [*latest(), other]) == (0, [])
    difference, _ = compare_outcomes(truth, latest()[:1])
    assert difference == 3


def test_a_truth_is_compared_with_the_latest_revisions_of_the_lake(lake: ExampleLake) -> None:
    lake.take(*two_executions())
    same: Reconciliation = reconcile_lake(lake.engine(), truth_of(*two_executions()))
    assert (same.closes, same.truth_matches) == (True, True)
    other = reconcile_lake(lake.engine(), truth_of(*two_executions("cancelled")))
    assert (other.closes, other.truth_matches, other.difference) == (False, False, 2)
