"""Tables are maintained while the job writes to them, is stopped or is killed: no row is lost or doubled."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile, ManifestEntry, ManifestEntryStatus
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from system_proof import assert_stored_exactly, options, trace
from system_waiting import wait_until

from codewave.faults.catalog import StruckCommit, kill_cluster
from codewave.faults.fault import Proxies, Scene
from codewave.faults.load import Load
from codewave.faults.proxy import Answer, Ask, Request, Rule
from codewave.local.jobs import resume_job, start_job, stop_job
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.options import WorkloadOptions
from iceberg.lake import Lake, local_lake
from iceberg.maintenance import (
    apply_retention,
    compact,
    compaction,
    expire_snapshots,
    remove_orphans,
    rewrite,
    rewrite_manifests,
)
from iceberg.maintenance.storage import plain_path

pytestmark = pytest.mark.system

TABLE = "document_operations"
FILES = 1_000
ROWS_A_FILE = 20
OLD = timedelta(days=200)
"""Age of the rows that are there before the job's: what the table does not keep any more."""
TARGET_BYTES = 100_000
"""Far less than in production, so that several files of it come together."""
SMALL_BYTES = 0.75 * TARGET_BYTES
LARGE_BYTES = 1.5 * TARGET_BYTES
"""A file may be too large by one row group, of which it has two at least."""
COMMITS = 3
MONTH = timedelta(days=30)
"""So far ahead is the clock that maintenance goes by: all that the job has done by then is old."""
NOBODYS = "nobodys.parquet"
OWN_NAME = re.compile(r"/\d{5}-[0-9a-f]{8}-[^/]*$")
"""How compaction names a file."""
CHECKPOINT = re.compile(rb'"flink\.max-committed-checkpoint-id"\s*:\s*"(\d+)"')
"""What a commit of the job says in its snapshot's summary."""


@pytest.fixture
def scene(shared_stack: LocalSettings, fresh_namespace: Namespace) -> Iterator[Scene]:
    """A namespace whose job reaches everything through proxies; it is not started yet."""
    with Proxies(shared_stack) as proxies:
        yield Scene(settings=shared_stack, namespace=fresh_namespace, proxies=proxies, random=Random(5))


def test_a_thousand_small_files_become_few_of_the_target_size_while_the_job_goes_on_writing(
    shared_stack: LocalSettings, fresh_namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake(shared_stack, fresh_namespace.name)
    append_small_files(lake)
    start_job(shared_stack, fresh_namespace, parallelism=2)
    load = Load(shared_stack, fresh_namespace, endless(), trace())
    wait_until(lambda: len(commits_of_the_job(lake)) >= COMMITS, f"{COMMITS} commits")
    let_the_job_commit_meanwhile(lake, monkeypatch)
    before = head_of(lake)
    done = compact(lake, TABLE, at_least=2)

    assert done.files_before > FILES
    assert len(done.partitions) > 1, "the partitions that the job writes are compacted, too"
    assert commits_of_the_job(lake, since=before, until=snapshot_of(lake, done.snapshot_ids[0]))
    assert sum(rows_exchanged(lake, snapshot_id) for snapshot_id in done.snapshot_ids) >= done.rows
    assert_target_size(files_at(lake, snapshot_of(lake, done.snapshot_ids[-1])))
    assert load.running
    load.stop()
    taken_out = apply_retention(lake, TABLE)
    assert (len(taken_out.partitions), taken_out.rows) == (1, FILES * ROWS_A_FILE)
    assert_stored_exactly(shared_stack, fresh_namespace, load.finish())


def test_expiry_and_orphan_removal_leave_what_a_running_a_stopped_and_a_killed_job_goes_on_from(scene: Scene) -> None:
    lake = local_lake(scene.settings, scene.namespace.name)
    start_job(scene.settings, scene.namespace, parallelism=2, overrides=scene.proxies.overrides)
    load = Load(scene.settings, scene.namespace, endless(), trace())
    wait_until(lambda: len(commits_of_the_job(lake)) >= COMMITS, f"{COMMITS} commits")
    left = leave_orphan(lake)

    done = maintain_as_if_a_month_later(lake)
    assert min(done[TABLE].values()) > 0
    assert not left.exists()

    stop_job(scene.settings, scene.namespace)
    maintain_as_if_a_month_later(lake)
    assert not is_of_the_job(head_of(lake)), "maintenance was the last to commit"
    resume_job(scene.settings, scene.namespace, parallelism=2, overrides=scene.proxies.overrides)
    resumed_at = head_of(lake)
    wait_until(lambda: bool(commits_of_the_job(lake, since=resumed_at)), "the resumed job commits")

    kill_before_commits(scene)
    waiting = uncommitted(lake)
    maintain_as_if_a_month_later(lake)
    assert {path for path in waiting if not Path(path).exists()} == set()
    resume_job(scene.settings, scene.namespace, parallelism=2, overrides=scene.proxies.overrides)
    assert load.running
    load.stop()
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())
    assert waiting - uncommitted(lake), "what the killed job had written and not committed is in the tables"


def let_the_job_commit_meanwhile(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have compaction, after it has read its first files, wait until the job has committed to the table."""
    waiting = [True]

    def rewrite_then_wait(*args: Any) -> list[DataFile]:
        files = rewrite.rewrite(*args)
        if waiting:
            waiting.clear()
            head = head_of(lake)
            wait_until(lambda: bool(commits_of_the_job(lake, since=head)), "the job commits beside the compaction")
        return files

    monkeypatch.setattr(compaction, "rewrite", rewrite_then_wait)


def endless() -> WorkloadOptions:
    """For far longer than a test takes; it stops the load when it has seen enough."""
    return options(seconds=2400, rate=150)


def append_small_files(lake: Lake) -> None:
    """Fill one old partition of the table, as a job does with some thousand checkpoints; then set the target size."""
    table = lake.load(TABLE)
    rows = old_rows(table.schema().as_arrow(), FILES * ROWS_A_FILE)
    set_target(table, rows.nbytes // FILES)
    table.append(rows)
    set_target(table, TARGET_BYTES)
    assert len(files_at(lake, head_of(lake))) >= FILES


def set_target(table: Table, size_bytes: int) -> None:
    with table.transaction() as change:
        change.set_properties({rewrite.TARGET_SIZE: str(size_bytes)})


def old_rows(schema: pa.Schema, count: int) -> pa.Table:
    """Rows of one document and one old day, in no order that a sort would give."""
    numbers = [number * 7919 % count for number in range(count)]
    day = (datetime.now(UTC) - OLD).replace(hour=0, minute=0)
    columns: dict[str, list[Any]] = {
        "event_id": [f"old-{number:06}" for number in numbers],
        "document_id": ["an old document"] * count,
        "received_at": [day + timedelta(seconds=number) for number in numbers],
    }
    values = {pa.string(): str, pa.large_string(): str, pa.int64(): int}
    for field in schema:
        if field.type in values and field.name not in columns:
            columns[field.name] = [values[field.type](number) for number in numbers]
    return pa.Table.from_pylist(
        [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], schema=schema
    )


def rows_exchanged(lake: Lake, snapshot_id: int) -> int:
    """How many rows the files hold that a snapshot of compaction took out: exactly those of the files it put in."""
    io = lake.load(TABLE).io
    own = [one for one in snapshot_of(lake, snapshot_id).manifests(io) if one.added_snapshot_id == snapshot_id]
    entries = [entry for one in own for entry in one.fetch_manifest_entry(io, discard_deleted=False)]
    old, new = (
        rows_in(plain_path(entry.data_file.file_path) for entry in entries if is_of(entry, status, snapshot_id))
        for status in (ManifestEntryStatus.DELETED, ManifestEntryStatus.ADDED)
    )
    assert len(old) == len(new) > 0
    assert old == new
    return len(old)


def is_of(entry: ManifestEntry, status: ManifestEntryStatus, snapshot_id: int) -> bool:
    return entry.status == status and entry.snapshot_id == snapshot_id


def rows_in(paths: Iterable[str]) -> list[tuple[Any, ...]]:
    """Rows of data files, read without Iceberg, in order of the event's id."""
    with duckdb.connect() as database:
        return database.execute("SELECT * FROM read_parquet(?) ORDER BY event_id", [list(paths)]).fetchall()


def assert_target_size(files: dict[str, DataFile]) -> None:
    """Of each partition, all files of compaction but the last have the target size; several have it."""
    by_partition: dict[str, list[int]] = {}
    for path, file in files.items():
        if OWN_NAME.search(path):
            by_partition.setdefault(str(file.partition), []).append(file.file_size_in_bytes)
    sizes = [size for some in by_partition.values() for size in some]
    assert max(sizes) < LARGE_BYTES
    assert sum(size >= SMALL_BYTES for size in sizes) > 1
    assert max(sum(size < SMALL_BYTES for size in some) for some in by_partition.values()) <= 1


def maintain_as_if_a_month_later(lake: Lake) -> dict[str, dict[str, int]]:
    """Merge manifests, expire all that may be and remove orphans, in every table that the job writes."""
    now = datetime.now(UTC) + MONTH
    done = {}
    for table in (one.name for one in lake.definitions if one.written_by == "stream"):
        manifests = rewrite_manifests(lake, table, at_least=1)
        expired = expire_snapshots(lake, table, newest=1, now=now)
        remove_orphans(lake, table, now=now)
        merged = manifests.manifests_before - manifests.manifests_after
        done[table] = {"expired": expired.snapshots, "merged": merged}
    return done


def kill_before_commits(scene: Scene) -> None:
    """Kill the cluster when one table has committed a checkpoint, without hearing of it, and the others have not."""
    rule = StruckCommit(passes=0, last=True)
    try:
        with scene.proxies.catalog.ruled(from_next_checkpoint(rule)):
            rule.wait()
            kill_cluster(scene)
    finally:
        rule.release()


def from_next_checkpoint(rule: Rule) -> Rule:
    """Have ``rule`` answer from a checkpoint's first commit on.

    The checkpoint that is being committed when it begins is left alone: what comes may be its last commit.
    """
    seen: list[int] = []

    def answer(request: Request, ask: Ask) -> Answer:
        found = CHECKPOINT.search(request.body)
        if found is None:
            return ask()
        seen.append(int(found[1]))
        return rule(request, ask) if int(found[1]) > seen[0] else ask()

    return answer


def leave_orphan(lake: Lake) -> Path:
    """Leave a file as a writer does that died four days before the job's last commit."""
    path = Path(plain_path(lake.load(TABLE).location())) / "data" / NOBODYS
    path.write_bytes(b"left behind")
    changed_at = time.time() - timedelta(days=4).total_seconds()
    os.utime(path, (changed_at, changed_at))
    return path


def uncommitted(lake: Lake) -> set[str]:
    """Data files of the job's tables that are on disk and in no snapshot's list of additions."""
    found: set[str] = set()
    for table in (lake.load(one.name) for one in lake.definitions if one.written_by == "stream"):
        on_disk = {str(path) for path in Path(plain_path(table.location())).rglob("data/**/*.parquet")}
        head = table.current_snapshot()
        manifests = head.manifests(table.io) if head else []
        entries = (entry for one in manifests for entry in one.fetch_manifest_entry(table.io))
        found |= on_disk - {plain_path(entry.data_file.file_path) for entry in entries}
    return found


def head_of(lake: Lake) -> Snapshot | None:
    return lake.load(TABLE).current_snapshot()


def snapshot_of(lake: Lake, snapshot_id: int | None) -> Snapshot:
    snapshot = lake.load(TABLE).snapshot_by_id(snapshot_id or 0)
    assert snapshot
    return snapshot


def files_at(lake: Lake, snapshot: Snapshot | None) -> dict[str, DataFile]:
    """Data files of a snapshot, by path; none before the first."""
    io = lake.load(TABLE).io
    manifests = snapshot.manifests(io) if snapshot else []
    entries = (entry for one in manifests for entry in one.fetch_manifest_entry(io))
    return {plain_path(entry.data_file.file_path): entry.data_file for entry in entries}


def is_of_the_job(snapshot: Snapshot | None) -> bool:
    assert snapshot
    assert snapshot.summary
    return "flink.job-id" in snapshot.summary.additional_properties


def commits_of_the_job(lake: Lake, since: Snapshot | None = None, until: Snapshot | None = None) -> list[Snapshot]:
    """Snapshots of the job between two others."""
    first = since.sequence_number or 0 if since else 0
    last = until.sequence_number or 0 if until else float("inf")
    return [
        one for one in lake.load(TABLE).snapshots() if first < (one.sequence_number or 0) < last and is_of_the_job(one)
    ]
