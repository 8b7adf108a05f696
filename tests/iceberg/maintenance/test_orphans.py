"""Files that no snapshot reaches are removed once they are old, and no others."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from maintained_lake import TABLE, append, as_rows, commit_of_flink, notes, rows_of, stored

from codewave.errors import CodewaveError, WrongUseError
from iceberg.lake import Lake
from iceberg.maintenance import compact, orphans, remove_orphans
from iceberg.maintenance.storage import plain_path


def leave(folder: Path, name: str, age_days: float) -> Path:
    """Leave a file under the table's location that nothing knows of."""
    path = folder / "warehouse" / "rooms" / TABLE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    changed_at = (datetime.now(UTC) - timedelta(days=age_days)).timestamp()
    os.utime(path, (changed_at, changed_at))
    return path


def test_old_files_that_nothing_reaches_are_removed_and_young_ones_stay(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(10))
    before = stored(tmp_path, "*.*")
    old = leave(tmp_path, "data/at_day=2026-03-01/dead-writer.parquet", 4)
    old_manifest = leave(tmp_path, "metadata/dead-writer-m0.avro", 4)
    young = leave(tmp_path, "data/at_day=2026-03-01/writing.parquet", 2)
    done = remove_orphans(lake, TABLE)
    assert stored(tmp_path, "*.*") == before | {str(young)}
    assert (done.files_removed, done.size_bytes) == (2, 22)
    assert done.list_file is not None
    assert set(Path(done.list_file).read_text(encoding="utf-8").split()) == {str(old), str(old_manifest)}
    assert rows_of(lake) == as_rows(lake, notes(10))


def test_nothing_that_a_snapshot_or_a_reader_may_need_is_removed(lake: Lake, tmp_path: Path) -> None:
    for start in range(0, 60, 10):
        append(lake, notes(10, start))
    compact(lake, TABLE)
    files = stored(tmp_path, "*.*")
    remove_orphans(lake, TABLE, now=datetime.now(UTC) + timedelta(days=30))
    assert stored(tmp_path, "*.*") == files
    for number, snapshot in enumerate(lake.load(TABLE).snapshots()[:6], 1):
        assert rows_of(lake, snapshot.snapshot_id) == as_rows(lake, notes(10 * number))


def test_less_than_a_day_is_refused_unless_forced(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(10))
    young = leave(tmp_path, "data/writing.parquet", 0.5)
    with pytest.raises(WrongUseError, match="may belong to a commit"):
        remove_orphans(lake, TABLE, older_than_days=0.1)
    assert young.exists()
    remove_orphans(lake, TABLE, older_than_days=0.1, force=True)
    assert not young.exists()


def test_what_a_job_wrote_that_has_been_down_for_long_stays_until_it_is_resumed(lake: Lake, tmp_path: Path) -> None:
    commit_of_flink(lake, notes(10), checkpoint=1)
    uncommitted = leave(tmp_path, "data/at_day=2026-03-01/checkpoint-2.parquet", -0.01)
    earlier = leave(tmp_path, "data/at_day=2026-03-01/dead-writer.parquet", 4)
    remove_orphans(lake, TABLE, now=datetime.now(UTC) + timedelta(days=30))
    assert uncommitted.exists()
    assert not earlier.exists()


def test_the_checksum_that_hadoop_wrote_beside_a_file_goes_with_it(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(10))
    (live,) = (Path(path) for path in stored(tmp_path))
    kept = leave(tmp_path, f"{live.parent.relative_to(tmp_path / 'warehouse' / 'rooms' / TABLE)}/.{live.name}.crc", 4)
    left = leave(tmp_path, "data/.expired.parquet.crc", 4)
    remove_orphans(lake, TABLE)
    assert kept.exists()
    assert not left.exists()


def test_a_dry_run_names_them_and_removes_none(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(10))
    old = leave(tmp_path, "data/dead-writer.parquet", 4)
    done = remove_orphans(lake, TABLE, dry_run=True)
    assert done.list_file is not None
    assert Path(done.list_file).read_text(encoding="utf-8").split() == [str(old)]
    assert old.exists()


def test_where_names_do_not_match_nothing_is_removed(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, notes(10))
    old = leave(tmp_path, "data/dead-writer.parquet", 4)
    listing = orphans.list_files
    renamed = lambda table: [orphans.StoredFile("/else" + one.path, one.changed_at, 1) for one in listing(table)]  # noqa: E731
    monkeypatch.setattr(orphans, "list_files", renamed)
    with pytest.raises(CodewaveError, match="does not list"):
        remove_orphans(lake, TABLE)
    assert old.exists()


def test_a_file_has_one_name_however_its_location_is_written() -> None:
    assert {plain_path(one) for one in ("file:/a/b", "file:///a/b", "/a/b")} == {"/a/b"}
    assert {plain_path(one) for one in ("s3://a/b", "s3a://a/b")} == {"a/b"}


def test_what_is_committed_after_the_listing_stays(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(lake, notes(10))
    listing = orphans.list_files

    def list_then_write(table: object) -> list[orphans.StoredFile]:
        found = listing(table)  # type: ignore[arg-type]
        append(lake, notes(10, 10))
        return found

    monkeypatch.setattr(orphans, "list_files", list_then_write)
    remove_orphans(lake, TABLE, now=datetime.now(UTC) + timedelta(days=30))
    assert rows_of(lake) == as_rows(lake, notes(20))
