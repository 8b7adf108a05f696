"""New rows touch exactly the intervals they belong to: by what was added since the mark, wherever files went since."""

from pathlib import Path
from typing import Any

import pytest
from derived_lake import at, day, hour, lake_with, put, quick_catalog
from msgspec.structs import replace
from pyiceberg.manifest import DataFile
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _OverwriteFiles

from iceberg.derive import Interval, derive, mark_derived, touched_intervals
from iceberg.derive.marks import PROPERTY
from iceberg.derive.reach import note_retained_from
from iceberg.lake import Lake


def outcome(execution: str, finished: str, **more: Any) -> dict[str, Any]:
    given = {"revision": 1, "room_id": "room-7", "outcome": "succeeded", "cpu_ms": 100}
    return given | {"execution_id": execution, "finished_at": finished, "received_at": finished} | more


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_with(quick_catalog(tmp_path), tmp_path / "warehouse", "executions", "usage_daily")


def catch_up(lake: Lake, table: str = "executions") -> list[Interval]:
    """Derive what is touched, as the orchestration does."""
    touched = touched_intervals(lake, table)
    for interval in touched.intervals:
        derive(lake, table, interval)
    mark_derived(lake, table, touched.through)
    return list(touched.intervals)


def touched(lake: Lake, table: str = "executions") -> list[str]:
    return [str(interval) for interval in touched_intervals(lake, table).intervals]


def seal(lake: Lake, text: str) -> None:
    put(lake, "billing_seals", {"day": at(text).date(), "sealed_at": at("2026-01-09"), "hash": text})


def current(lake: Lake, table: str) -> int:
    snapshot = lake.load(table).current_snapshot()
    assert snapshot is not None
    return snapshot.snapshot_id


def files(lake: Lake, table: str) -> list[DataFile]:
    return [task.file for task in lake.load(table).scan().plan_files()]


def rewrite(lake: Lake, table: str) -> None:
    """Put all rows of a table into new files, as compaction does."""
    handle = lake.load(table)
    rows, old = handle.scan().to_arrow(), files(lake, table)
    with handle.transaction() as transaction:
        from pyiceberg.io.pyarrow import _dataframe_to_data_files

        producer = _OverwriteFiles(Operation.OVERWRITE, transaction, handle.io)
        producer._summary = lambda *_: replaced_summary()  # type: ignore[method-assign]
        with producer as snapshot:
            for file in old:
                snapshot.delete_data_file(file)
            for file in _dataframe_to_data_files(handle.metadata, rows, handle.io):
                snapshot.append_data_file(file)


def replaced_summary() -> Any:
    from pyiceberg.table.snapshots import Summary

    return Summary(Operation.REPLACE)


def expire_all_but_newest(lake: Lake, table: str) -> None:
    handle = lake.load(table)
    newest = handle.metadata.current_snapshot_id
    old = [one.snapshot_id for one in handle.metadata.snapshots if one.snapshot_id != newest]
    handle.maintenance.expire_snapshots().by_ids(old).commit()


def test_without_a_mark_everything_there_is_touches(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"), outcome("b", "2026-01-03T00:00:00"))
    assert touched(lake) == ["2026-01-01", "2026-01-03"]
    assert touched_intervals(lake, "executions").through == {"execution_outcomes": current(lake, "execution_outcomes")}


def test_after_the_mark_only_what_came_later_touches(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    assert touched(lake) == []
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    assert touched(lake) == ["2026-01-02"]


def test_until_it_is_marked_it_stays_touched(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    derive(lake, "executions", day("2026-01-01"))
    assert touched(lake) == ["2026-01-01"]


def test_what_came_after_the_look_is_touched_after_the_mark(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    looked = touched_intervals(lake, "executions")
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    mark_derived(lake, "executions", looked.through)
    assert touched(lake) == ["2026-01-02"]


def test_a_revision_that_moves_the_day_touches_the_day_it_left(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T23:59:00"), outcome("b", "2026-01-05T10:00:00"))
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("a", "2026-01-02T00:01:00", revision=2))
    assert touched(lake) == ["2026-01-01", "2026-01-02"]


def test_a_file_over_two_intervals_touches_those_with_rows_and_not_the_one_between(lake: Lake) -> None:
    late = [outcome("a", "2026-01-01T10:00:00"), outcome("b", "2026-01-03T10:00:00")]
    put(lake, "execution_outcomes", *[one | {"received_at": "2026-01-04T10:00:00"} for one in late])
    assert len(files(lake, "execution_outcomes")) == 1
    assert touched(lake) == ["2026-01-01", "2026-01-03"]


def test_what_would_touch_a_sealed_day_touches_the_first_open_one(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    seal(lake, "2026-01-01")
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("late", "2026-01-01T11:00:00"))
    assert touched(lake) == ["2026-01-02"]


def test_a_seal_touches_the_first_open_day_and_the_open_days_that_are_there(lake: Lake) -> None:
    put(lake, "execution_outcomes", *[outcome(str(one), f"2026-01-0{one}T10:00:00") for one in (1, 4)])
    catch_up(lake)
    seal(lake, "2026-01-01")
    assert touched(lake) == ["2026-01-02", "2026-01-04"]


def test_files_that_are_only_rewritten_touch_nothing(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    catch_up(lake)
    rewrite(lake, "execution_outcomes")
    assert touched(lake) == []


def test_old_files_in_a_merged_manifest_touch_nothing(lake: Lake) -> None:
    merging = {"commit.manifest-merge.enabled": "true", "commit.manifest.min-count-to-merge": "2"}
    with lake.load("execution_outcomes").transaction() as transaction:
        transaction.set_properties(merging)
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    handle = lake.load("execution_outcomes")
    assert len(handle.inspect.manifests()) == 1
    assert touched(lake) == ["2026-01-02"]


def test_rows_that_were_added_and_rewritten_since_the_mark_touch_their_intervals_only(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    rewrite(lake, "execution_outcomes")
    put(lake, "execution_outcomes", outcome("c", "2026-01-03T10:00:00"))
    rewrite(lake, "execution_outcomes")
    assert touched(lake) == ["2026-01-02", "2026-01-03"]


def test_a_mark_whose_snapshot_has_expired_still_tells_new_files_from_old_ones(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    put(lake, "execution_outcomes", outcome("c", "2026-01-03T10:00:00"))
    expire_all_but_newest(lake, "execution_outcomes")
    assert touched(lake) == ["2026-01-02", "2026-01-03"]


def test_where_a_rewriting_snapshot_has_expired_more_is_touched_and_never_less(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    catch_up(lake)
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    rewrite(lake, "execution_outcomes")
    put(lake, "execution_outcomes", outcome("c", "2026-01-03T10:00:00"))
    expire_all_but_newest(lake, "execution_outcomes")
    assert touched(lake) == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_a_rolled_back_source_touches_everything_it_holds(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    first = current(lake, "execution_outcomes")
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    catch_up(lake)
    lake.load("execution_outcomes").manage_snapshots().rollback_to_snapshot(first).commit()
    put(lake, "execution_outcomes", outcome("c", "2026-01-03T10:00:00"))
    assert touched(lake) == ["2026-01-01", "2026-01-03"]


def test_a_run_of_a_derived_source_touches_its_interval_even_where_that_is_empty_now(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T23:00:00"), outcome("b", "2026-01-05T10:00:00"))
    catch_up(lake)
    catch_up(lake, "usage_daily")
    put(lake, "execution_outcomes", outcome("a", "2026-01-02T01:00:00", revision=2))
    catch_up(lake)
    assert touched(lake, "usage_daily") == ["2026-01-01", "2026-01-02"]
    catch_up(lake, "usage_daily")
    assert touched(lake, "usage_daily") == []


def test_where_runs_of_a_derived_source_have_expired_every_interval_of_the_table_is_touched(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T23:00:00"), outcome("b", "2026-01-05T10:00:00"))
    catch_up(lake)
    catch_up(lake, "usage_daily")
    put(lake, "execution_outcomes", outcome("a", "2026-01-02T01:00:00", revision=2))
    catch_up(lake)
    expire_all_but_newest(lake, "executions")
    assert "2026-01-01" in touched(lake, "usage_daily")


def test_what_retention_has_thinned_out_is_not_touched(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"), outcome("b", "2026-01-02T10:00:00"))
    note_retained_from(lake, "execution_outcomes", at("2026-01-02"))
    assert touched(lake) == ["2026-01-02"]


def test_a_mark_never_goes_back(lake: Lake) -> None:
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    early = touched_intervals(lake, "executions")
    put(lake, "execution_outcomes", outcome("b", "2026-01-02T10:00:00"))
    late = touched_intervals(lake, "executions")
    mark_derived(lake, "executions", late.through)
    mark_derived(lake, "executions", early.through)
    marked = lake.load("executions").properties[PROPERTY + "execution_outcomes"]
    assert marked.split("/")[0] == str(late.through["execution_outcomes"])


def test_hours_of_a_nested_list_and_of_gaps_declared_before_are_touched(tmp_path: Path) -> None:
    lake = lake_with(
        quick_catalog(tmp_path), tmp_path / "warehouse", "reconciliation_hourly", "pipeline_reliability_hourly"
    )
    counts = [{"type": "chat.posted", "hour": f"2026-01-01T{number}:00:00", "received": 1} for number in (10, 12)]
    put(lake, "record_audit", {"received_at": "2026-01-01T12:00:00", "by_type": counts})
    assert touched(lake, "reconciliation_hourly") == ["2026-01-01T10:00", "2026-01-01T12:00"]

    gap = {"ordering_key": "document:a", "status": "declared", "received_at": "2026-01-01T09:00:00"}
    put(lake, "sequence_gaps", gap, gap | {"ordering_key": "document:b", "received_at": "2026-01-01T08:00:00"})
    catch_up(lake, "pipeline_reliability_hourly")
    put(lake, "sequence_gaps", gap | {"status": "filled", "received_at": "2026-01-01T15:00:00"})
    assert touched_intervals(lake, "pipeline_reliability_hourly").intervals == (
        hour("2026-01-01T09:00"),
        hour("2026-01-01T15:00"),
    )


def test_a_source_that_is_not_said_to_touch_anything_touches_nothing(lake: Lake) -> None:
    definition = replace(lake.definition("executions"), touched_by={})
    silent = replace(
        lake, definitions=tuple(definition if one.name == "executions" else one for one in lake.definitions)
    )
    put(lake, "execution_outcomes", outcome("a", "2026-01-01T10:00:00"))
    assert touched_intervals(silent, "executions").intervals == ()
