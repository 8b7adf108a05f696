"""Rows that are older than their table keeps them go by whole partitions, and then from disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from maintained_lake import (
    DAY,
    NOTES,
    TABLE,
    append,
    as_rows,
    lake_of,
    newest,
    notes,
    rows_of,
    stored,
    with_partition,
)
from pyiceberg.table.snapshots import Operation

from iceberg.definition import read_definitions
from iceberg.lake import Lake
from iceberg.maintenance import apply_retention, compact, expire_snapshots, retention
from iceberg.maintenance.exchange import OPERATION
from iceberg.maintenance.exchange import commit_exchange as commit


def days(lake: Lake, count: int) -> None:
    """Fill so many days with ten notes each."""
    for day in range(count):
        append(lake, notes(10, day * 10, DAY + timedelta(days=day)))


def test_days_that_lie_before_the_retention_as_a_whole_are_taken_out_in_one_commit(lake: Lake) -> None:
    days(lake, 4)
    before = newest(lake)
    done = apply_retention(lake, TABLE, now=DAY + timedelta(days=2, hours=5 + 24 * NOTES.retention_days))
    assert (done.partitions, done.files, done.rows) == (("at_day=2026-03-01", "at_day=2026-03-02"), 2, 20)
    table = lake.load(TABLE)
    head = table.current_snapshot()
    assert head is not None
    assert (head.parent_snapshot_id, head.snapshot_id) == (before, done.snapshot_id)
    assert head.summary is not None
    assert (head.summary.operation, head.summary[OPERATION]) == (Operation.DELETE, "retain")
    kept = as_rows(lake, notes(10, 20, DAY + timedelta(days=2))) + as_rows(lake, notes(10, 30, DAY + timedelta(days=3)))
    assert rows_of(lake) == kept
    assert lake.engine.query(f"SELECT count(*) FROM {TABLE}").rows == [[20]]


def test_expiry_then_removes_the_files_from_disk(lake: Lake, tmp_path: Path) -> None:
    days(lake, 2)
    apply_retention(lake, TABLE, now=DAY + timedelta(days=1 + NOTES.retention_days))
    assert len(stored(tmp_path)) == 2
    expire_snapshots(lake, TABLE, newest=1, now=datetime.now(UTC) + timedelta(days=30))
    assert len(stored(tmp_path)) == 1
    assert rows_of(lake) == as_rows(lake, notes(10, 10, DAY + timedelta(days=1)))


@pytest.mark.parametrize(
    ("partition", "ends"),
    [
        (("hour(at)",), datetime(2026, 3, 1, 1, tzinfo=UTC)),
        (("day(at)",), datetime(2026, 3, 2, tzinfo=UTC)),
        (("month(at)",), datetime(2026, 4, 1, tzinfo=UTC)),
        (("bucket(4, id)", "day(at)"), datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_a_partition_is_taken_out_when_its_last_moment_is_too_old_and_not_before(
    tmp_path: Path, partition: tuple[str, ...], ends: datetime
) -> None:
    lake = lake_of(tmp_path, with_partition(*partition))
    append(lake, notes(10))
    too_old = ends + timedelta(days=NOTES.retention_days)
    assert apply_retention(lake, TABLE, now=too_old - timedelta(milliseconds=1)).rows == 0
    assert apply_retention(lake, TABLE, now=too_old).rows == 10
    assert not rows_of(lake)


def test_a_table_without_a_time_partition_keeps_its_rows(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, with_partition("bucket(4, id)"))
    append(lake, notes(10))
    done = apply_retention(lake, TABLE, now=DAY + timedelta(days=10_000))
    assert (done.before, done.rows) == (None, 0)
    assert rows_of(lake) == as_rows(lake, notes(10))


def test_the_second_time_there_is_nothing_to_do(lake: Lake) -> None:
    days(lake, 2)
    now = DAY + timedelta(days=1 + NOTES.retention_days)
    apply_retention(lake, TABLE, now=now)
    first = newest(lake)
    assert apply_retention(lake, TABLE, now=now).snapshot_id is None
    assert newest(lake) == first


def test_a_dry_run_says_what_would_go(lake: Lake) -> None:
    days(lake, 2)
    first = newest(lake)
    assert apply_retention(lake, TABLE, now=DAY + timedelta(days=1 + NOTES.retention_days), dry_run=True).rows == 10
    assert newest(lake) == first


def test_a_compaction_meanwhile_does_not_save_old_rows(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(lake, notes(60), files=6)

    def compact_then_commit(*args: object) -> object:
        monkeypatch.setattr(retention, "commit_exchange", commit)
        compact(lake, TABLE)
        return commit(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "commit_exchange", compact_then_commit)
    assert apply_retention(lake, TABLE, now=DAY + timedelta(days=1 + NOTES.retention_days)).rows == 60
    assert not rows_of(lake)


def test_what_programs_printed_is_kept_for_thirty_days() -> None:
    (logs,) = [one for one in read_definitions() if one.name == "execution_logs"]
    assert logs.retention_days == 30
    assert logs.partitions()[0].transform == "day"
