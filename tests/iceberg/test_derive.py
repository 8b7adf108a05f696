"""A run replaces one interval in one commit, gives the same rows again, and survives others and its own death."""

import threading
from pathlib import Path
from typing import Any

import pytest
from derived_lake import at, day, held, hour, lake_with, put, quick_catalog
from msgspec.structs import replace
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.table import Transaction

from codewave.errors import CodewaveError, WrongUseError
from iceberg.definition import Check
from iceberg.derive import derive, intervals_between
from iceberg.derive.conflicts import ATTEMPTS
from iceberg.derive.reach import OutOfReachError, note_retained_from
from iceberg.derive.seals import SealedError
from iceberg.derive.verdicts import BlockedError
from iceberg.lake import Lake


def outcome(execution: str, finished: str = "2026-01-01T10:00:00", **more: Any) -> dict[str, Any]:
    given = {
        "revision": 1,
        "room_id": "room-7",
        "user_id": "ada",
        "outcome": "succeeded",
        "cpu_ms": 100,
        "wall_ms": 200,
    }
    return given | {"execution_id": execution, "finished_at": finished, "received_at": finished} | more


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_with(quick_catalog(tmp_path), tmp_path / "warehouse", "executions")


def booked(lake: Lake) -> list[tuple[Any, ...]]:
    rows = held(lake, "executions", "room_id", "execution_id", "billing_day", "cpu_ms")
    return [(row["execution_id"], row["billing_day"].isoformat(), row["cpu_ms"]) for row in rows]


def snapshots(lake: Lake) -> list[Any]:
    return lake.load("executions").metadata.snapshots


def test_a_run_is_one_snapshot_that_says_its_interval_and_what_it_read(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"), outcome("b"))
    read = lake.load("execution_outcomes").current_snapshot().snapshot_id
    derived = derive(lake, "executions", day("2026-01-01"))
    (snapshot,) = snapshots(lake)
    assert (derived.rows, derived.snapshot_id) == (2, snapshot.snapshot_id)
    said = snapshot.summary.additional_properties
    assert said["codewave.interval-start"] == "2026-01-01T00:00:00+00:00"
    assert said["codewave.interval-end"] == "2026-01-02T00:00:00+00:00"
    assert said["codewave.source.execution_outcomes"] == str(read)


def test_the_same_sources_give_the_same_rows_and_no_new_snapshot(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("b"), outcome("a"))
    derive(lake, "executions", day("2026-01-01"))
    put(lake, "execution_outcomes", outcome("c", "2026-01-02T10:00:00"))
    assert derive(lake, "executions", day("2026-01-01")).snapshot_id is None
    assert len(snapshots(lake)) == 1


def test_an_interval_without_rows_commits_nothing(lake: Lake) -> None:
    assert derive(lake, "executions", day("2026-01-01")).snapshot_id is None
    assert snapshots(lake) == []


def test_only_the_interval_is_replaced(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"), outcome("b", "2026-01-02T10:00:00"))
    for text in ("2026-01-01", "2026-01-02"):
        derive(lake, "executions", day(text))
    put(lake, "execution_outcomes", outcome("a", revision=2, cpu_ms=150))
    derive(lake, "executions", day("2026-01-01"))
    assert booked(lake) == [("a", "2026-01-01", 150), ("b", "2026-01-02", 100)]


def test_rows_of_other_intervals_in_the_same_file_stay(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"), outcome("b", "2026-01-02T10:00:00"))
    put(lake, "executions", {"execution_id": "x", "billing_day": at("2026-01-01").date(), "kind": "execution"})
    handle = lake.load("executions")
    with handle.update_spec() as spec:
        spec.remove_field("billing_day_day")
    both = [{"execution_id": "y", "billing_day": at(text).date()} for text in ("2026-01-01", "2026-01-02")]
    put(lake, "executions", *both)
    derive(lake, "executions", day("2026-01-01"))
    assert booked(lake) == [("y", "2026-01-02", 0), ("a", "2026-01-01", 100)]


def test_a_row_that_moved_away_leaves_its_old_interval(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    derive(lake, "executions", day("2026-01-01"))
    put(lake, "execution_outcomes", outcome("a", "2026-01-02T00:00:01", revision=2))
    for text in ("2026-01-01", "2026-01-02"):
        derive(lake, "executions", day(text))
    assert booked(lake) == [("a", "2026-01-02", 100)]


def test_rows_are_written_in_the_tables_sort_order(lake: Lake) -> None:
    put(lake, "execution_outcomes", *[outcome(f"e{number}", room_id=f"r{number % 3}") for number in (5, 1, 4, 2, 3)])
    derive(lake, "executions", day("2026-01-01"))
    rows = lake.load("executions").scan(selected_fields=("room_id", "execution_id")).to_arrow().to_pylist()
    places = [(row["room_id"], row["execution_id"]) for row in rows]
    assert places == sorted(places)


def test_two_runs_of_one_interval_at_once_book_it_once(tmp_path: Path) -> None:
    catalog = quick_catalog(tmp_path)
    lakes = [lake_with(catalog, tmp_path / "warehouse", "executions") for _ in range(2)]
    put(lakes[0], "execution_outcomes", outcome("a"), outcome("b"))
    together = threading.Barrier(2)
    for one in lakes:
        wait_after_first_read(one, together)
    results: list[Any] = []
    runs = [
        threading.Thread(target=lambda one=one: results.append(derive(one, "executions", day("2026-01-01"))))
        for one in lakes
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert booked(lakes[0]) == [("a", "2026-01-01", 100), ("b", "2026-01-01", 100)]
    assert sorted(result.snapshot_id is None for result in results) == [False, True]


def wait_after_first_read(lake: Lake, together: threading.Barrier) -> None:
    """Hold the first query's answer back until the other run has its own, from the same state."""
    select, waited = lake.engine.select, threading.Event()

    def slow(*arguments: Any) -> Any:
        answer = select(*arguments)
        if not waited.is_set():
            waited.set()
            together.wait(30)
        return answer

    lake.engine.select = slow  # type: ignore[method-assign]


def test_a_run_that_another_commit_overtakes_starts_over_from_reading(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    select = lake.engine.select

    def overtaken(*arguments: Any) -> Any:
        answer = select(*arguments)
        monkeypatch.undo()
        put(lake, "execution_outcomes", outcome("b"))
        derive(lake, "executions", day("2026-01-01"))
        return answer

    monkeypatch.setattr(lake.engine, "select", overtaken)
    derived = derive(lake, "executions", day("2026-01-01"))
    assert derived.rows == 2
    assert [row[0] for row in booked(lake)] == ["a", "b"]


def test_whoever_never_gets_to_commit_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    tries = []

    def refuse(_: Transaction) -> None:
        tries.append(1)
        raise CommitFailedException("somebody was first")

    monkeypatch.setattr(Transaction, "commit_transaction", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(CodewaveError, match="others kept committing"):
        derive(lake, "executions", day("2026-01-01"))
    assert len(tries) == ATTEMPTS


def test_a_run_killed_before_its_commit_leaves_the_old_rows_and_can_be_run_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    derive(lake, "executions", day("2026-01-01"))
    put(lake, "execution_outcomes", outcome("a", revision=2, cpu_ms=150))

    def killed(_: Transaction) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transaction, "commit_transaction", killed)
    with pytest.raises(KeyboardInterrupt):
        derive(lake, "executions", day("2026-01-01"))
    monkeypatch.undo()
    assert booked(lake) == [("a", "2026-01-01", 100)]
    derive(lake, "executions", day("2026-01-01"))
    assert booked(lake) == [("a", "2026-01-01", 150)]


def test_a_commit_whose_answer_was_lost_is_not_made_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    commit = Transaction.commit_transaction

    def unanswered(transaction: Transaction) -> None:
        commit(transaction)
        raise CommitStateUnknownException("no answer")

    monkeypatch.setattr(Transaction, "commit_transaction", unanswered)
    with pytest.raises(CommitStateUnknownException):
        derive(lake, "executions", day("2026-01-01"))
    monkeypatch.undo()
    assert derive(lake, "executions", day("2026-01-01")).snapshot_id is None
    assert booked(lake) == [("a", "2026-01-01", 100)]


def seal(lake: Lake, text: str) -> None:
    put(lake, "billing_seals", {"day": at(text).date(), "sealed_at": at("2026-01-09"), "hash": text})


def test_a_sealed_day_and_every_earlier_one_is_refused(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    seal(lake, "2026-01-01")
    for text in ("2025-12-31", "2026-01-01"):
        with pytest.raises(SealedError, match=f"{text} is sealed .through 2026-01-01.*booked on 2026-01-02"):
            derive(lake, "executions", day(text))


def test_a_day_sealed_while_its_query_runs_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    select = lake.engine.select

    def sealing(*arguments: Any) -> Any:
        answer = select(*arguments)
        seal(lake, "2026-01-01")
        return answer

    monkeypatch.setattr(lake.engine, "select", sealing)
    with pytest.raises(SealedError):
        derive(lake, "executions", day("2026-01-01"))
    assert booked(lake) == []


def with_checks(lake: Lake, *checks: Check) -> Lake:
    changed = replace(lake.definition("executions"), checks=checks)
    return replace(lake, definitions=tuple(changed if one.name == changed.name else one for one in lake.definitions))


EXPENSIVE = (
    "SELECT execution_id, cpu_ms FROM executions WHERE cpu_ms > 100 AND billing_day >= CAST(:interval_start AS DATE)"
)


def test_a_check_that_blocks_stops_the_commit_and_names_the_failing_row(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"), outcome("b", cpu_ms=101))
    strict = with_checks(lake, Check("cheap", "block", "nothing is expensive", EXPENSIVE))
    with pytest.raises(BlockedError, match=r"nothing was committed: cheap: 1 rows fail .nothing is expensive.*'b'"):
        derive(strict, "executions", day("2026-01-01"))
    assert booked(lake) == []


def test_a_check_that_warns_is_told_and_the_rows_are_committed(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("b", cpu_ms=101))
    derived = derive(with_checks(lake, Check("cheap", "warn", "…", EXPENSIVE)), "executions", day("2026-01-01"))
    assert [(warning.name, warning.rows) for warning in derived.warnings] == [("cheap", 1)]
    assert booked(lake) == [("b", "2026-01-01", 101)]


def test_a_required_column_that_is_empty_stops_the_commit(lake: Lake) -> None:
    before, _, after = lake.definition("executions").query.rpartition("    room_id,\n")
    query = f"{before}    CAST(NULL AS VARCHAR) AS room_id,\n{after}"
    broken = replace(
        lake,
        definitions=tuple(replace(one, query=query) if one.name == "executions" else one for one in lake.definitions),
    )
    put(lake, "execution_outcomes", outcome("a"))
    with pytest.raises(BlockedError, match="room_id is never empty"):
        derive(broken, "executions", day("2026-01-01"))


def test_a_check_reads_nothing_but_the_rows_about_to_be_written(lake: Lake) -> None:
    wrong = with_checks(lake, Check("other", "warn", "…", "SELECT day FROM billing_seals"))
    with pytest.raises(WrongUseError, match=r"checks.sql: other: reads billing_seals"):
        derive(wrong, "executions", day("2026-01-01"))


def test_an_interval_whose_source_rows_retention_took_is_left_as_it_is(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a"))
    derive(lake, "executions", day("2026-01-01"))
    for text in ("2026-01-02", "2026-01-01"):
        note_retained_from(lake, "execution_outcomes", at(text))
    with pytest.raises(OutOfReachError, match="execution_outcomes has no rows from before"):
        derive(lake, "executions", day("2026-01-01"))
    derive(lake, "executions", day("2026-01-02"))
    assert booked(lake) == [("a", "2026-01-01", 100)]


def test_what_is_no_interval_or_no_derived_table_is_refused(lake: Lake) -> None:
    with pytest.raises(WrongUseError, match="is not one day"):
        derive(lake, "executions", hour("2026-01-01T10:00"))
    with pytest.raises(WrongUseError, match="not derived by a query"):
        derive(lake, "execution_outcomes", day("2026-01-01"))


def test_intervals_between_two_times_cover_all_of_it() -> None:
    found = list(intervals_between("hour", at("2026-01-01T10:30"), at("2026-01-01T12:00")))
    assert [str(one) for one in found] == ["2026-01-01T10:00", "2026-01-01T11:00"]
    assert [str(one) for one in intervals_between("day", at("2025-12-31T23:00"), at("2026-01-01T00:01"))] == [
        "2025-12-31",
        "2026-01-01",
    ]
