"""Compaction makes few sorted files of many small ones and changes no row, whatever others commit meanwhile."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
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
    paths_of,
    rows_of,
    set_target,
    stored,
)
from msgspec.structs import replace
from pyiceberg.manifest import DataFile, ManifestContent, ManifestFile
from pyiceberg.table.snapshots import Operation

from codewave.errors import CodewaveError
from iceberg.definition import Column
from iceberg.lake import Lake
from iceberg.maintenance import compact, compaction, rewrite
from iceberg.maintenance.exchange import OPERATION
from iceberg.maintenance.reachable import refuse_row_deletes

TARGET_BYTES = 100_000
FIELD_ID = b"PARQUET:field_id"
OWN_NAME = re.compile(r"/\d{5}-[0-9a-f]{8}-[^/]*$")
"""How compaction names a file; pyiceberg's writers have one number more in front."""


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Let something happen once, after the first files were read and before they are committed."""
    waiting = [act]

    def rewrite_then_act(*args: Any) -> list[DataFile]:
        files = rewrite.rewrite(*args)
        if waiting:
            waiting.pop()()
        return files

    monkeypatch.setattr(compaction, "rewrite", rewrite_then_act)


def test_a_thousand_small_files_become_few_of_the_target_size_while_the_table_is_written(
    lake: Lake, tmp_path: Path
) -> None:
    for start in range(0, 20_000, 4_000):
        append(lake, notes(4_000, start), files=200)
    before = paths_of(lake)
    other = lake_of(tmp_path)
    set_target(lake, TARGET_BYTES)
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            rows = notes(5, 1_000_000 + 5 * len(written))
            append(other, rows)
            written.append(rows)
            stop.wait(1)  # as a checkpoint does: who commits without pause is never overtaken

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = compact(lake, TABLE)
    finally:
        stop.set()
        writer.join()
    sizes = [Path(path.removeprefix("file://")).stat().st_size for path in paths_of(lake) if OWN_NAME.search(path)]
    assert len(before) >= 1_000
    assert done.files_before >= len(before)
    assert done.files_after == len(sizes)
    small = [size for size in sizes if size < 0.75 * TARGET_BYTES]
    assert len(small) <= 3, "all but the last one of each round have the target size"
    assert 2 <= len(sizes) - len(small) <= 4
    assert max(sizes) < 1.33 * TARGET_BYTES
    assert written
    assert rows_of(lake) == as_rows(lake, notes(20_000)) + as_rows(lake, [row for rows in written for row in rows])
    assert lake.engine.query(f"SELECT count(*) FROM {TABLE}").rows == [[20_000 + 5 * len(written)]]


def test_each_file_is_sorted_as_the_folder_says(lake: Lake) -> None:
    append(lake, notes(500), files=10)
    compact(lake, TABLE)
    (path,) = paths_of(lake)
    rows = pq.read_table(path.removeprefix("file://")).to_pylist()
    keys = [(row["id"], row["number"]) for row in rows]
    assert keys == sorted(keys)
    (task,) = lake.load(TABLE).scan().plan_files()
    assert task.file.sort_order_id == lake.load(TABLE).sort_order().order_id


def test_new_files_have_codec_dictionaries_and_field_ids_and_no_bounds_of_what_people_wrote(lake: Lake) -> None:
    append(lake, notes(500), files=10)
    compact(lake, TABLE)
    table = lake.load(TABLE)
    (task,) = table.scan().plan_files()
    text, number = (table.schema().find_field(name).field_id for name in ("text", "number"))
    assert task.file.value_counts[text] == 500
    assert number in task.file.lower_bounds
    assert text not in task.file.lower_bounds
    assert text not in task.file.upper_bounds
    parquet = pq.ParquetFile(task.file.file_path.removeprefix("file://"))
    assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    assert "RLE_DICTIONARY" in parquet.metadata.row_group(0).column(0).encodings
    word = parquet.schema_arrow.field("parts").type.value_type.field("word")
    assert word.metadata[FIELD_ID] == str(table.schema().find_field("parts.element.word").field_id).encode()


def test_each_partition_keeps_its_own_rows(lake: Lake) -> None:
    for day in range(3):
        append(lake, notes(100, day * 100, DAY + timedelta(days=day)), files=6)
    before = rows_of(lake)
    done = compact(lake, TABLE)
    assert done.partitions == ("at_day=2026-03-01", "at_day=2026-03-02", "at_day=2026-03-03")
    assert (done.files_after, len(done.snapshot_ids)) == (3, 1)
    assert rows_of(lake) == before
    one_day = lake.load(TABLE).scan("at >= '2026-03-02T00:00:00+00:00' and at < '2026-03-03T00:00:00+00:00'")
    assert len(list(one_day.plan_files())) == 1


def test_a_file_that_is_older_than_a_column_gets_nulls(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(100), files=6)
    mood = Column(name="mood", type="string", description="The mood.", classification="metadata")
    newer = lake_of(tmp_path, replace(NOTES, columns=(*NOTES.columns, mood)))
    append(newer, [row | {"mood": "good"} for row in notes(10, 100)])
    compact(newer, TABLE)
    assert len(paths_of(newer)) == 1
    assert newer.engine.query(f"SELECT mood, count(*) FROM {TABLE} GROUP BY mood ORDER BY 2").rows == [
        ["good", 10],
        [None, 100],
    ]


def test_what_it_made_says_so_and_counts_on(lake: Lake) -> None:
    append(lake, notes(100), files=6)
    compact(lake, TABLE)
    snapshot = lake.load(TABLE).current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.operation == Operation.REPLACE
    told = snapshot.summary.additional_properties
    assert (told[OPERATION], told["total-records"], told["total-data-files"]) == ("compact", "100", "1")


def test_the_second_time_there_is_nothing_to_do(lake: Lake) -> None:
    append(lake, notes(100), files=6)
    compact(lake, TABLE)
    first = newest(lake)
    assert compact(lake, TABLE).files_before == 0
    assert newest(lake) == first


def test_few_small_files_are_left_alone(lake: Lake) -> None:
    for start in range(4):
        append(lake, notes(5, start))
    assert compact(lake, TABLE).files_before == 0
    assert compact(lake, TABLE, at_least=4).files_before == 4


def test_only_partitions_that_are_quiet_if_so_asked(lake: Lake) -> None:
    append(lake, notes(100, 0, DAY), files=6)
    quiet_until = lake.load(TABLE).metadata.last_updated_ms / 1000
    append(lake, notes(100, 0, DAY + timedelta(days=1)), files=6)
    now = DAY.fromtimestamp(quiet_until, DAY.tzinfo) + timedelta(minutes=30)
    assert compact(lake, TABLE, quiet_minutes=30, now=now).partitions == ("at_day=2026-03-01",)


def test_what_compaction_wrote_itself_does_not_disturb_the_quiet(lake: Lake) -> None:
    target = int(lake.load(TABLE).properties["write.target-file-size-bytes"])
    append(lake, notes(2_000), files=6)
    appended_at = lake.load(TABLE).metadata.last_updated_ms / 1000
    set_target(lake, 10_000)
    compact(lake, TABLE)
    assert len(paths_of(lake)) >= 5
    set_target(lake, target)
    now = DAY.fromtimestamp(appended_at, DAY.tzinfo) + timedelta(minutes=30)
    assert compact(lake, TABLE, quiet_minutes=30, now=now).files_after == 1


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(100), files=6)
    before, files = newest(lake), stored(tmp_path, "*")
    done = compact(lake, TABLE, dry_run=True)
    assert (done.rows, done.files_before, done.files_after, done.snapshot_ids) == (100, len(paths_of(lake)), 0, ())
    assert (newest(lake), stored(tmp_path, "*")) == (before, files)


def test_rows_appended_while_files_are_read_are_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(lake, notes(100), files=6)
    meanwhile(monkeypatch, lambda: append(lake, notes(10, 100)))
    done = compact(lake, TABLE)
    assert (done.rows, done.started_over) == (100, 0)
    assert rows_of(lake) == as_rows(lake, notes(110))
    assert len(paths_of(lake)) == 2


def test_rows_taken_out_while_files_are_read_do_not_come_back(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, notes(100), files=6)
    append(lake, notes(100, 100, DAY + timedelta(days=1)), files=6)
    meanwhile(monkeypatch, lambda: lake.load(TABLE).delete("number < 10"))
    done = compact(lake, TABLE)
    assert (done.started_over, done.rows) == (1, 190)
    assert rows_of(lake) == as_rows(lake, notes(90, 10)) + as_rows(lake, notes(100, 100, DAY + timedelta(days=1)))
    own = [path for path in stored(tmp_path) if OWN_NAME.search(path)]
    assert sorted(paths_of(lake)) == sorted(f"file://{path}" for path in own), "what was written in vain is removed"


def test_two_at_once_do_no_harm(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(lake, notes(100), files=6)
    meanwhile(monkeypatch, lambda: compact(lake, TABLE))
    assert compact(lake, TABLE).started_over == 1
    assert rows_of(lake) == as_rows(lake, notes(100))
    assert len(paths_of(lake)) == 1


def test_if_rows_get_lost_nothing_is_committed_and_nothing_is_left(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, notes(100), files=6)
    before, files = newest(lake), stored(tmp_path, "*")
    read = rewrite._sorted
    monkeypatch.setattr(rewrite, "_sorted", lambda *args: (batch.slice(1) for batch in read(*args)))
    with pytest.raises(CodewaveError, match="100 rows became 99"):
        compact(lake, TABLE)
    assert (newest(lake), stored(tmp_path, "*")) == (before, files)


def test_after_dying_before_the_commit_it_can_be_run_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    append(lake, notes(100), files=6)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "commit_exchange", die)
        with pytest.raises(KeyboardInterrupt):
            compact(lake, TABLE)
    assert rows_of(lake) == as_rows(lake, notes(100))
    assert compact(lake, TABLE).files_after == 1
    assert rows_of(lake) == as_rows(lake, notes(100))


def test_row_level_deletes_are_refused(lake: Lake) -> None:
    deletes = ManifestFile.from_args(
        manifest_path="m.avro", content=ManifestContent.DELETES, added_files_count=1, existing_files_count=0
    )
    with pytest.raises(CodewaveError, match="row-level deletes"):
        refuse_row_deletes(lake.load(TABLE), [deletes])


def test_a_table_without_partitions_is_compacted_too(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, replace(NOTES, partition=()))
    append(lake, notes(100), files=6)
    assert compact(lake, TABLE).files_after == 1
    assert rows_of(lake) == as_rows(lake, notes(100))


def test_an_empty_table_is_left_alone(lake: Lake) -> None:
    assert compact(lake, TABLE).files_before == 0
