"""The suite of derived tables: a small day is derived, queried and closed, and its figures are those of its rows."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pytest

from bench.contender import ContenderError
from bench.derived_day import CLOSE, ROUNDS, DerivedDay, results_of
from bench.derived_day_input import ROWS, DaySpec, open_lake, prepared_day, records
from bench.derived_day_steps import STEPS, TABLES, Step, begin_round, derived, run_step
from bench.progress import Progress
from bench.results import Origin, Result
from bench.suite import FULL, Plan
from codewave.local.settings import LocalSettings
from iceberg.billing.seal import LEDGER

WHERE = Origin("x86_64, 2 cores", "2026-01-01T00:00:00+00:00", "abc1234")
SPEC = DaySpec(rows=3_000, rooms=20, users=40, sessions=60, documents=10)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def day(place: Path) -> Path:
    return prepared_day(SPEC, place)


@pytest.fixture(scope="module")
def steps(day: Path) -> dict[str, dict[str, Step]]:
    """Of each table: its query alone, and what was derived; in the end the close."""
    lake = begin_round(day, day.parent / "round")
    found = {table: {step: STEPS[step](lake, table) for step in ("query", "derive")} for table in TABLES}
    return found | {CLOSE: {"close": STEPS["close"](lake, LEDGER)}}


def rows(day: Path, table: str) -> Any:
    lake = open_lake(day / "catalog.db", day / "warehouse", day.parent)
    return lake.load(table).scan().to_arrow()


def test_the_ledger_has_every_execution_of_the_day(steps: dict[str, dict[str, Step]]):
    assert (steps[LEDGER]["derive"].rows_in, steps[LEDGER]["derive"].rows_out) == (SPEC.rows, SPEC.rows)


def test_every_table_has_the_rows_that_its_query_alone_gives(steps: dict[str, dict[str, Step]]):
    for table in TABLES:
        query, run = steps[table]["query"], steps[table]["derive"]
        assert run.rows_out > 0
        assert (run.rows_in, run.rows_out, run.intervals) == (query.rows_in, query.rows_out, query.intervals)
        assert min(run.seconds, run.again_seconds, run.finding_seconds, run.cpu_seconds, query.seconds) > 0


def test_rows_out_are_those_of_the_keys_that_the_day_has(day: Path, steps: dict[str, dict[str, Step]]):
    edits = rows(day, "document_operations")
    rooms, sessions = (pc.count_distinct(edits[name]).as_py() for name in ("room_id", "session_id"))
    assert steps["room_activity_hourly"]["derive"].rows_out == rooms
    assert steps["session_summary"]["derive"].rows_out == sessions
    # Five types of events.
    assert steps["reconciliation_hourly"]["derive"].rows_out == 5


def test_counts_of_the_day_close_so_that_it_is_sealed_with_all_of_its_rows(steps: dict[str, dict[str, Step]]):
    assert steps[CLOSE]["close"].rows_out == SPEC.rows


def test_a_smaller_day_ends_earlier_and_is_as_dense(day: Path):
    finished = rows(day, "execution_outcomes")["finished_at"]
    seconds = (pc.max(finished).as_py() - pc.min(finished).as_py()).total_seconds()
    assert seconds == pytest.approx(86_400 * SPEC.rows / ROWS, rel=0.02)


def test_a_day_is_made_once_and_no_round_changes_it(day: Path, place: Path, steps: dict[str, dict[str, Step]]):
    assert steps
    made = (day / "catalog.db").stat().st_mtime_ns
    assert prepared_day(SPEC, place) == day
    assert (day / "catalog.db").stat().st_mtime_ns == made
    lake = begin_round(day, place / "another")
    assert records(lake, LEDGER) == 0
    assert records(lake, "execution_outcomes") == SPEC.rows


def test_the_same_seed_makes_the_same_rows_and_another_one_others(day: Path, tmp_path: Path):
    for table in ("execution_events", "record_audit"):
        before = rows(day, table)
        assert rows(prepared_day(SPEC, tmp_path), table).equals(before)
        assert not rows(prepared_day(msgspec.structs.replace(SPEC, seed=8), tmp_path), table).equals(before)


def test_a_step_in_a_process_of_its_own_tells_its_memory(day: Path, place: Path):
    work = place / "process"
    begin_round(day, work)
    step = run_step("derive", work, LEDGER)
    assert step.rows_out == SPEC.rows
    assert step.rss_bytes > 50 << 20


def test_a_step_that_fails_says_why(place: Path):
    with pytest.raises(ContenderError, match=r"(?s)executions, derive: ended with 1:.*billing_seals does not exist"):
        run_step("derive", place / "nothing", LEDGER)


def test_a_table_that_gives_other_rows_again_is_no_measurement(day: Path, place: Path, monkeypatch: pytest.MonkeyPatch):
    lake = begin_round(day, place / "other")
    real = derived.__globals__["derive"]

    def changed(*given: Any) -> Any:
        return msgspec.structs.replace(real(*given), snapshot_id=1)

    monkeypatch.setitem(derived.__globals__, "derive", changed)
    with pytest.raises(ContenderError, match="gave other rows"):
        derived(lake, LEDGER)


def test_the_suite_runs_at_most_two_rounds_and_tells_every_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def measured(step: str, _: Path, table: str) -> Step:
        asked.append((step, table))
        return Step(seconds=2.0, cpu_seconds=1.0, rows_in=100, rows_out=50, rss_bytes=3 << 20)

    monkeypatch.setattr("bench.derived_day.run_step", measured)
    settings = LocalSettings(data_folder=str(tmp_path))
    with Progress() as progress:
        outcome = DerivedDay().run(Plan(settings, msgspec.structs.replace(FULL, events=500), progress, WHERE, 1e12), [])
    assert not outcome.failures
    assert len(asked) == ROUNDS * (2 * len(TABLES) + 1)
    assert asked[:3] == [("query", LEDGER), ("derive", LEDGER), ("query", "usage_daily")]
    assert {result.name.split(": ")[0] for result in outcome.results} == {*TABLES, CLOSE}
    assert not (tmp_path / "bench" / "derived_day" / "round").exists()


def test_a_table_is_compared_with_its_query_alone():
    query = Step(seconds=2.0, cpu_seconds=3.0, rows_in=100, rows_out=50, rss_bytes=1 << 20)
    run = Step(seconds=5.0, cpu_seconds=6.0, rows_in=100, rows_out=50, rss_bytes=2 << 20, again_seconds=4.0)
    found = named(results_of({"usage_daily: query alone": [query], "usage_daily": [run, run]}, WHERE))
    derive = found["usage_daily: derive"]
    assert (derive.value, derive.baseline, derive.ratio) == (5.0, "usage_daily: query alone", 2.5)
    assert {name: result.value for name, result in found.items()} | {"usage_daily: derive": 5.0} == {
        "usage_daily: query alone": 2.0,
        "usage_daily: query alone, CPU time": 3.0,
        "usage_daily: query alone, memory": 1.0,
        "usage_daily: derive": 5.0,
        "usage_daily: CPU time": 6.0,
        "usage_daily: memory": 2.0,
        "usage_daily: speed": 20.0,
        "usage_daily: rows in": 100.0,
        "usage_daily: rows out": 50.0,
        "usage_daily: find intervals": 0.0,
        "usage_daily: derive again": 4.0,
        "usage_daily: intervals": 1.0,
    }


def named(results: list[Result]) -> dict[str, Result]:
    return {result.name: result for result in results}
