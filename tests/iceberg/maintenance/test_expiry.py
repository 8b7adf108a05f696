"""Old snapshots go with the files that only they reached; whatever Flink looks for stays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from maintained_lake import (
    TABLE,
    append,
    as_rows,
    commit_of_flink,
    lake_of,
    newest,
    notes,
    rows_of,
    stored,
)
from pyiceberg.table.snapshots import ancestors_of

from codewave.errors import CodewaveError
from iceberg.lake import Lake
from iceberg.maintenance import compact, expire_snapshots, expiry, remove_orphans

LATER = datetime.now(UTC) + timedelta(days=30)
"""So that every snapshot of a test is an old one."""


def snapshots(lake: Lake) -> list[int]:
    return [one.snapshot_id for one in lake.load(TABLE).snapshots()]


def history(lake: Lake) -> list[int]:
    """Return what Flink's sink meets when it walks from the newest snapshot from parent to parent."""
    table = lake.load(TABLE)
    return [one.snapshot_id for one in ancestors_of(table.current_snapshot(), table.metadata)]


def listed(result: expiry.Expired) -> list[str]:
    return Path(result.list_file).read_text(encoding="utf-8").split() if result.list_file else []


def test_files_that_only_expired_snapshots_reach_are_gone_and_the_rest_can_be_read(lake: Lake, tmp_path: Path) -> None:
    for start in range(0, 60, 10):
        append(lake, notes(10, start))
    small = stored(tmp_path)
    compact(lake, TABLE)
    append(lake, notes(10, 60))
    done = expire_snapshots(lake, TABLE, newest=2, now=LATER)
    assert (done.snapshots, done.snapshots_kept, done.data_files) == (6, 2, 6)
    assert done.manifest_lists == 6
    assert small.isdisjoint(stored(tmp_path))
    assert len(stored(tmp_path)) == 2
    assert len(stored(tmp_path, "snap-*.avro")) == 2
    assert {path.removeprefix("file://") for path in listed(done)} >= small
    for snapshot_id, rows in zip(snapshots(lake), (60, 70), strict=True):
        assert rows_of(lake, snapshot_id) == as_rows(lake, notes(rows))
    assert lake.engine.query(f"SELECT count(*) FROM {TABLE}").rows == [[70]]


def test_only_snapshots_of_that_age_are_expired(lake: Lake) -> None:
    for start in range(3):
        append(lake, notes(1, start))
    moment = datetime.fromtimestamp(lake.load(TABLE).snapshots()[1].timestamp_ms / 1000, UTC)
    expire_snapshots(lake, TABLE, newest=1, older_than_days=3, now=moment + timedelta(days=3))
    assert len(snapshots(lake)) == 2


def test_flinks_last_snapshot_is_kept_with_all_that_came_after_it(lake: Lake) -> None:
    commit_of_flink(lake, notes(5), checkpoint=1)
    last = commit_of_flink(lake, notes(5, 5), checkpoint=2)
    for start in range(10, 40, 5):
        append(lake, notes(5, start))
    compact(lake, TABLE)
    expire_snapshots(lake, TABLE, newest=1, now=LATER)
    assert history(lake)[-1] == last, "no hole on the way to it"
    assert len(history(lake)) == 8
    assert rows_of(lake, last) == as_rows(lake, notes(10))


def test_each_jobs_last_snapshot_is_kept_as_long_as_it_may_be_resumed(lake: Lake) -> None:
    first = commit_of_flink(lake, notes(5), checkpoint=9, job="first")
    second = commit_of_flink(lake, notes(5, 5), checkpoint=1, job="second")
    commit_of_flink(lake, notes(5, 10), checkpoint=2, job="second", operator="other")
    third = commit_of_flink(lake, notes(5, 15), checkpoint=1, job="third")
    now = datetime.now(UTC) + timedelta(days=4)
    expire_snapshots(lake, TABLE, newest=1, now=now, job_days=7)
    assert history(lake)[-1] == first
    expire_snapshots(lake, TABLE, newest=1, now=now, job_days=3)
    assert history(lake) == [third]
    assert second not in snapshots(lake)


def test_the_head_and_the_newest_are_kept_whatever_their_age(lake: Lake) -> None:
    for start in range(5):
        append(lake, notes(1, start))
    assert expire_snapshots(lake, TABLE, newest=3, older_than_days=0, now=LATER).snapshots_kept == 3
    assert expire_snapshots(lake, TABLE, newest=1, older_than_days=0, now=LATER).snapshots_kept == 1
    assert rows_of(lake) == as_rows(lake, notes(5))
    with pytest.raises(CodewaveError, match="at least one"):
        expire_snapshots(lake, TABLE, newest=0)


def test_tags_and_branches_are_kept_and_can_be_read(lake: Lake) -> None:
    for start in range(0, 50, 10):
        append(lake, notes(10, start))
    _, tagged, branched, *_ = snapshots(lake)
    with lake.load(TABLE).manage_snapshots() as manage:
        manage.create_tag(tagged, "audit").create_branch(branched, "trial")
    expire_snapshots(lake, TABLE, newest=1, now=LATER)
    assert set(snapshots(lake)) == {tagged, branched, newest(lake)}
    assert rows_of(lake, tagged) == as_rows(lake, notes(20))
    assert rows_of(lake, branched) == as_rows(lake, notes(30))


def test_a_dry_run_names_the_files_and_removes_none(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(50), files=6)
    compact(lake, TABLE)
    before, files = snapshots(lake), stored(tmp_path, "*")
    planned = expire_snapshots(lake, TABLE, newest=1, now=LATER, dry_run=True)
    assert (snapshots(lake), stored(tmp_path, "*")) == (before, files)
    done = expire_snapshots(lake, TABLE, newest=1, now=LATER)
    assert listed(done) == listed(planned)
    assert (done.data_files, done.manifests, done.manifest_lists) == (
        planned.data_files,
        planned.manifests,
        planned.manifest_lists,
    )


def test_the_second_time_there_is_nothing_to_do(lake: Lake) -> None:
    append(lake, notes(10))
    append(lake, notes(10, 10))
    expire_snapshots(lake, TABLE, newest=1, now=LATER)
    again = expire_snapshots(lake, TABLE, newest=1, now=LATER)
    assert (again.snapshots, again.list_file) == (0, None)


def test_after_dying_between_commit_and_removal_the_rest_are_orphans(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    append(lake, notes(50), files=6)
    compact(lake, TABLE)
    with monkeypatch.context() as patch:
        patch.setattr(expiry, "delete_files", die)
        with pytest.raises(KeyboardInterrupt):
            expire_snapshots(lake, TABLE, newest=1, now=LATER)
    left = stored(tmp_path)
    assert expire_snapshots(lake, TABLE, newest=1, now=LATER).snapshots == 0
    assert stored(tmp_path) == left
    remove_orphans(lake, TABLE, now=LATER)
    assert len(stored(tmp_path)) == 1
    assert rows_of(lake) == as_rows(lake, notes(50))


def before_removal(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    reached = expiry.reached_only_by

    def act_then_look(*args: Any) -> Any:
        monkeypatch.setattr(expiry, "reached_only_by", reached)
        act()
        return reached(*args)

    monkeypatch.setattr(expiry, "reached_only_by", act_then_look)


def test_two_at_once_do_no_harm(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for start in range(0, 60, 10):
        append(lake, notes(10, start))
    compact(lake, TABLE)
    before_removal(monkeypatch, lambda: expire_snapshots(lake_of(tmp_path), TABLE, newest=1, now=LATER))
    expire_snapshots(lake, TABLE, newest=2, now=LATER)
    assert rows_of(lake) == as_rows(lake, notes(60))
    assert len(stored(tmp_path)) == 1


def test_what_is_committed_while_it_runs_is_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for start in range(0, 60, 10):
        append(lake, notes(10, start))
    before_removal(monkeypatch, lambda: compact(lake, TABLE))
    expire_snapshots(lake, TABLE, newest=1, now=LATER)
    assert rows_of(lake) == as_rows(lake, notes(60))


def test_many_snapshots_go_in_several_commits(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_AT_ONCE", 4)
    for start in range(10):
        append(lake, notes(1, start))
    assert expire_snapshots(lake, TABLE, newest=1, now=LATER).snapshots == 9
    assert rows_of(lake) == as_rows(lake, notes(10))
