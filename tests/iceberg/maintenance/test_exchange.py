"""Files are exchanged on top of whatever is the newest snapshot, once, whatever becomes of the answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from maintained_lake import TABLE, append, as_rows, lake_of, newest, notes, paths_of, rows_of, stored
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from codewave.errors import CodewaveError
from iceberg.lake import Lake
from iceberg.maintenance import compact, exchange, rewrite_manifests


def manifests(lake: Lake) -> list[str]:
    table = lake.load(TABLE)
    head = table.current_snapshot()
    return [one.manifest_path for one in head.manifests(table.io)] if head else []


def before_commit(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any], times: int = 1) -> None:
    """Let something happen between the last look at the table and the commit, for so many commits."""
    commit, left = Table._do_commit, [act] * times

    def act_then_commit(table: Table, *args: Any) -> None:
        acts, left[:] = left[-1:], left[:-1]
        for one in acts:
            with monkeypatch.context() as patch:
                patch.setattr(Table, "_do_commit", commit)
                one()
        commit(table, *args)

    monkeypatch.setattr(Table, "_do_commit", act_then_commit)


def fill(lake: Lake, commits: int = 12) -> None:
    for start in range(0, commits * 5, 5):
        append(lake, notes(5, start))


def test_small_manifests_become_one_and_the_files_stay(lake: Lake) -> None:
    fill(lake)
    before = sorted(paths_of(lake))
    done = rewrite_manifests(lake, TABLE)
    assert (done.manifests_before, done.manifests_after, len(manifests(lake))) == (12, 1, 1)
    assert sorted(paths_of(lake)) == before
    assert rows_of(lake) == as_rows(lake, notes(60))
    assert lake.engine.query(f"SELECT count(*) FROM {TABLE}").rows == [[60]]


def test_files_keep_their_sequence_numbers_and_snapshots(lake: Lake) -> None:
    def entries() -> set[tuple[Any, ...]]:
        table = lake.load(TABLE)
        head = table.current_snapshot()
        assert head
        found = [entry for one in head.manifests(table.io) for entry in one.fetch_manifest_entry(table.io)]
        return {
            (one.data_file.file_path, one.sequence_number, one.file_sequence_number, one.snapshot_id) for one in found
        }

    fill(lake)
    before = entries()
    rewrite_manifests(lake, TABLE)
    assert entries() == before


def test_few_small_manifests_are_left_alone(lake: Lake) -> None:
    fill(lake, 9)
    first = newest(lake)
    assert rewrite_manifests(lake, TABLE).snapshot_id is None
    assert rewrite_manifests(lake, TABLE, at_least=9, dry_run=True).manifests_after == 1
    assert newest(lake) == first


def test_large_manifests_stay_as_they_are(lake: Lake) -> None:
    fill(lake)
    rewrite_manifests(lake, TABLE)
    with lake.load(TABLE).transaction() as transaction:
        transaction.set_properties({"commit.manifest.target-size-bytes": "1000"})
    (large,) = manifests(lake)
    fill(lake, 3)
    rewrite_manifests(lake, TABLE, at_least=1)
    assert large in manifests(lake)


def test_what_is_appended_between_look_and_commit_is_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake)
    numbers = iter(range(60, 1_000, 5))
    before_commit(monkeypatch, lambda: append(lake, notes(5, next(numbers))), times=3)
    rewrite_manifests(lake, TABLE)
    assert next(numbers) == 75, "three times in a row"
    assert rows_of(lake) == as_rows(lake, notes(75))


def test_manifests_that_somebody_else_has_merged_are_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake)
    before_commit(monkeypatch, lambda: compact(lake, TABLE))
    rewrite_manifests(lake, TABLE)
    assert rows_of(lake) == as_rows(lake, notes(60))
    assert len(paths_of(lake)) == 1


def test_a_commit_whose_answer_is_lost_is_made_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake)
    commit = Table._do_commit

    def commit_then_fail(_: Table, *args: Any) -> None:
        commit(lake_of(tmp_path).load(TABLE), *args)
        raise ConnectionError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "_do_commit", commit_then_fail)
        done = compact(lake, TABLE)
    assert done.snapshot_ids == (newest(lake),)
    assert rows_of(lake) == as_rows(lake, notes(60))


def test_a_conflict_with_itself_is_no_conflict(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake)
    commit = Table._do_commit

    def commit_then_conflict(_: Table, *args: Any) -> None:
        commit(lake_of(tmp_path).load(TABLE), *args)
        raise CommitFailedException("sent twice")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "_do_commit", commit_then_conflict)
        done = compact(lake, TABLE)
    assert done.snapshot_ids == (newest(lake),)
    assert rows_of(lake) == as_rows(lake, notes(60))


def test_one_that_never_wins_gives_up_and_leaves_nothing_behind(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise CommitFailedException("somebody was quicker")

    fill(lake)
    files = stored(tmp_path, "*")
    with monkeypatch.context() as patch:
        patch.setattr(Table, "_do_commit", refuse)
        patch.setattr(exchange, "_FIRST_WAIT_S", 0.0)
        with pytest.raises(CodewaveError, match="lost against other commits"):
            compact(lake, TABLE)
    assert stored(tmp_path, "*.avro") | stored(tmp_path) == {
        one for one in files if one.endswith((".avro", ".parquet"))
    }
    assert rows_of(lake) == as_rows(lake, notes(60))
