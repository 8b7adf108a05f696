"""A billing day is closed only when everything that it is made from agrees, and then for good."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from billing_lake import FIRST, HOUR_MS, LATER, SECOND, THIRD, BillingLake, events_of
from example_rooms import START_MS, finished, started

from codewave.cli import billing as command
from iceberg.billing import CloseRefusedError, billing_status, read_seals
from iceberg.billing.calendar import SETTLE
from iceberg.derive import mark_derived, touched_intervals
from iceberg.derive.interval import interval_of


def reasons(lake: BillingLake, day: date = FIRST, **more: object) -> dict[str, tuple[str, ...]]:
    """Why a day is not closed: each reason with its ids."""
    with pytest.raises(CloseRefusedError) as refused:
        lake.close(day, **more)
    assert read_seals(lake.lake) == []
    return {one.reason: one.ids for one in refused.value.refusals}


def test_a_day_on_which_everything_agrees_is_sealed_with_its_sums(lake: BillingLake) -> None:
    seal = lake.close(FIRST)
    assert (seal.day, seal.rows, seal.executions, seal.adjustments) == (FIRST, 2, 2, 0)
    assert (seal.cpu_ms, seal.wall_ms, seal.output_bytes) == (240, 960, 6)
    assert seal.previous_hash is None
    assert read_seals(lake.lake) == [seal]


def test_the_next_day_is_sealed_on_top_of_it(lake: BillingLake) -> None:
    first, second = lake.close(FIRST), lake.close(SECOND)
    assert second.previous_hash == first.hash
    assert read_seals(lake.lake) == [first, second]


def test_a_day_without_executions_is_sealed_too(lake: BillingLake) -> None:
    lake.close(FIRST)
    lake.close(SECOND)
    empty = lake.close(THIRD)
    assert (empty.rows, empty.executions, empty.cpu_ms) == (0, 0, 0)


def test_a_day_that_is_sealed_keeps_its_seal_when_it_is_closed_again(lake: BillingLake) -> None:
    seal = lake.close(FIRST)
    assert lake.close(FIRST) == seal
    lake.close(SECOND)
    assert lake.close(FIRST) == seal
    assert len(lake.rows("billing_seals")) == 2


def test_a_day_is_not_closed_before_its_late_data_has_had_its_time(lake: BillingLake) -> None:
    settled = datetime(2026, 1, 2, tzinfo=UTC) + SETTLE
    assert "day_not_over" in reasons(lake, now=settled - timedelta(microseconds=1))
    assert lake.close(FIRST, now=settled).day == FIRST


def test_days_are_closed_in_order_and_without_holes(lake: BillingLake) -> None:
    assert "not_the_next_day" in reasons(lake, SECOND)
    assert "not_the_next_day" in reasons(lake, FIRST - timedelta(days=1))


def test_billing_may_start_on_a_later_day_than_the_first_with_data(lake: BillingLake) -> None:
    assert lake.close(SECOND, start=SECOND).day == SECOND


def test_there_is_nothing_to_close_in_an_empty_lake(tmp_path: Path) -> None:
    assert "nothing_to_close" in reasons(BillingLake(tmp_path))


def test_a_duplicate_put_into_the_raw_events_never_reaches_the_ledger_and_stops_the_close(lake: BillingLake) -> None:
    before = lake.rows("executions")
    lake.copy("execution_events", execution_id="run-1")
    lake.derive(FIRST)
    assert lake.rows("executions") == before
    found = reasons(lake)
    assert found["duplicate_events"] == ("run-1",)
    assert "counts_do_not_close" in found


def test_a_duplicate_with_another_id_in_another_month_is_found_by_its_place(lake: BillingLake) -> None:
    row = next(row for row in lake.rows("execution_events") if row["type"] == "execution.finished")
    moved = {"event_id": "0198c0de-0000-7000-8000-000000000001", "received_at": row["received_at"] + timedelta(40)}
    events = lake.lake.load("execution_events")
    events.append(pa.Table.from_pylist([row | moved], schema=events.schema().as_arrow()))
    assert reasons(lake)["duplicate_events"] == (row["execution_id"],)


COUNTS, OUTDATED, USAGE = "counts_do_not_close", "ledger_outdated", "usage_differs"


@pytest.mark.parametrize(
    ("expected", "spoil"),
    [
        ({COUNTS}, lambda lake: lake.remove("record_audit", cause="record")),
        ({COUNTS}, lambda lake: lake.remove("execution_events", type="execution.started")),
        ({COUNTS, "outcome_without_event"}, lambda lake: lake.remove("execution_events", type="execution.finished")),
        ({COUNTS, "output_differs"}, lambda lake: lake.remove("execution_logs", execution_id="run-1")),
        ({"outcome_missing", OUTDATED}, lambda lake: lake.remove("execution_outcomes", execution_id="run-1")),
        (
            {"outcome_differs", OUTDATED},
            lambda lake: lake.change("execution_outcomes", "cpu_ms", 9, execution_id="run-1"),
        ),
        (
            {"revisions_broken", OUTDATED},
            lambda lake: lake.change("execution_outcomes", "revision", 2, execution_id="run-1"),
        ),
        ({"revisions_broken"}, lambda lake: lake.copy("execution_outcomes", execution_id="run-1")),
        ({OUTDATED, USAGE}, lambda lake: lake.remove("executions", execution_id="run-1")),
        ({OUTDATED, USAGE}, lambda lake: lake.change("executions", "cpu_ms", 1, execution_id="run-1")),
        ({OUTDATED, USAGE}, lambda lake: lake.change("executions", "user_id", "eve", execution_id="run-1")),
        ({OUTDATED, USAGE}, lambda lake: lake.change("executions", "billing_day", FIRST, execution_id="run-3")),
        ({OUTDATED, USAGE, "ledger_duplicate"}, lambda lake: lake.copy("executions", execution_id="run-1")),
        ({USAGE}, lambda lake: lake.remove("usage_daily", day=FIRST)),
        ({USAGE}, lambda lake: lake.change("usage_daily", "user_id", "eve", day=FIRST)),
    ],
)
def test_what_is_changed_by_hand_stops_the_close_with_its_reasons(
    lake: BillingLake, expected: set[str], spoil: Callable[[BillingLake], None]
) -> None:
    spoil(lake)
    assert set(reasons(lake)) == expected


def test_an_execution_booked_on_two_days_stops_the_close_of_each(lake: BillingLake) -> None:
    lake.change("executions", "execution_id", "run-1", execution_id="run-3")
    assert reasons(lake)["ledger_duplicate"] == ("run-1",)


def test_an_event_that_waits_for_an_earlier_one_stops_the_close(lake: BillingLake) -> None:
    lake.take(finished(4, execution="run-4", at=START_MS + 3 * HOUR_MS))
    assert "events_pending" in reasons(lake)


def test_what_came_after_the_ledger_was_derived_stops_the_close_until_it_is_derived_again(lake: BillingLake) -> None:
    lake.run("run-4", day=0)
    assert reasons(lake)["ledger_outdated"] == ("run-4",)
    lake.derive(FIRST)
    assert lake.close(FIRST).executions == 3


def test_an_execution_taken_for_lost_needs_no_finished_event(tmp_path: Path) -> None:
    lake = BillingLake(tmp_path)
    lake.run("run-1")
    lake.take(started(1, execution="run-4", at=START_MS + 4 * HOUR_MS))
    lake.take(started(1, execution="run-5", at=START_MS + 5 * HOUR_MS))
    assert [row["outcome"] for row in lake.rows("execution_outcomes") if row["execution_id"] == "run-4"] == ["lost"]
    lake.derive(FIRST)
    assert lake.close(FIRST).executions == 2


def test_a_refusal_says_what_is_wrong_where_and_what_to_do(lake: BillingLake) -> None:
    lake.remove("executions", execution_id="run-1")
    with pytest.raises(CloseRefusedError) as refused:
        lake.close(FIRST)
    assert str(refused.value).startswith("billing day 2026-01-01: not closed: ")
    assert "1 executions are missing" in str(refused.value)
    assert "(run-1); derive the day again" in str(refused.value)


def test_many_ids_are_told_by_the_first_of_them_and_their_number(lake: BillingLake) -> None:
    lake.run(*(f"more-{number:02}" for number in range(12)), day=0)
    with pytest.raises(CloseRefusedError, match=r"more-09, and 2 more\)") as refused:
        lake.close(FIRST)
    assert refused.value.refusals[0].count == 12


def test_a_late_truth_after_the_seal_becomes_an_adjustment_and_the_sealed_day_stays(lake: BillingLake) -> None:
    sealed = lake.close(FIRST)
    lake.take(finished(5, cpu_ms=500, execution="run-1", at=START_MS + 2 * HOUR_MS))
    assert touched_intervals(lake.lake, "executions").intervals[0] == interval_of("day", SECOND)
    lake.derive(SECOND)
    assert lake.close(FIRST) == sealed
    second = lake.close(SECOND)
    assert (second.executions, second.adjustments, second.cpu_ms) == (1, 1, 120 + 380)
    adjustment = next(row for row in lake.rows("executions") if row["kind"] == "adjustment")
    assert (adjustment["execution_id"], adjustment["adjusts"], adjustment["cpu_ms"]) == ("run-1", FIRST, 380)


def test_an_execution_that_is_learned_of_after_its_day_was_sealed_is_billed_on_the_next(lake: BillingLake) -> None:
    lake.close(FIRST)
    lake.take(*events_of("run-9", day=0))
    assert "ledger_outdated" in {one.reason for one in billing_status(lake.lake, now=LATER).refusals}
    lake.derive(SECOND)
    second = lake.close(SECOND)
    assert (second.executions, second.adjustments) == (2, 1)


def test_after_a_seal_the_next_day_has_to_be_derived_again(lake: BillingLake) -> None:
    assert touched_intervals(lake.lake, "executions").intervals
    mark_derived(lake.lake, "executions", touched_intervals(lake.lake, "executions").through)
    assert touched_intervals(lake.lake, "executions").intervals == ()
    lake.close(FIRST)
    assert interval_of("day", SECOND) in touched_intervals(lake.lake, "executions").intervals


def test_the_status_says_what_is_next_and_what_stands_against_it(lake: BillingLake) -> None:
    status = billing_status(lake.lake, now=LATER)
    assert (status.sealed_days, status.last, status.next_day, status.refusals) == (0, None, FIRST, ())
    seal = lake.close(FIRST)
    lake.remove("usage_daily", day=SECOND)
    status = billing_status(lake.lake, now=LATER)
    assert (status.sealed_days, status.last, status.next_day) == (1, seal, SECOND)
    assert [one.reason for one in status.refusals] == ["usage_differs"]
    assert status.closable_at == datetime(2026, 1, 3, tzinfo=UTC) + SETTLE


def test_the_command_waits_as_long_as_the_close_itself() -> None:
    assert timedelta(hours=command._SETTLE_HOURS) == SETTLE
