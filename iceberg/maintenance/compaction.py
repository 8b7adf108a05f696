"""Compaction: many small files of a partition become few sorted ones, while the stream goes on committing.

Appends do not conflict with it. Where somebody takes one of its files out of the table meanwhile, that partition is
planned again.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct
from pyiceberg.manifest import DataFile, ManifestEntry
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from codewave.errors import CodewaveError
from iceberg.lake import Lake
from iceberg.maintenance.exchange import Exchange, FilesGoneError, commit_exchange, is_maintenance
from iceberg.maintenance.reachable import live_files
from iceberg.maintenance.rewrite import FileGroup, rewrite, target_size
from iceberg.maintenance.storage import delete_files
from iceberg.maintenance_defaults import COMPACT_AT_LEAST, SORT_MEMORY_MB

COMPACT: Final = "compact"

_SMALL: Final = 0.75
"""Of the target size: what Iceberg's own rewrite calls too small (``min-file-size-bytes``)."""
_GROUP_TARGETS: Final = 4
"""Target sizes that are sorted at once: the most that has to be done again where a file is taken out meanwhile."""
_COMMIT_FILES: Final = 2_000
_COMMIT_TARGETS: Final = 16
"""A commit is due after so many files or target sizes: one for each group would rewrite the same manifests again."""
_ROUNDS: Final = 3


class Compacted(Struct, frozen=True):
    """What was done to a table."""

    table: str
    partitions: tuple[str, ...]
    files_before: int
    """Of those that were read; others are not touched."""
    files_after: int
    bytes_before: int
    bytes_after: int
    rows: int
    """In them, before as after."""
    snapshot_ids: tuple[int, ...]
    started_over: int
    """Groups of files that others took out of the table while they were read."""
    dry_run: bool


class _Rewritten(Struct, frozen=True):
    group: FileGroup
    files: tuple[DataFile, ...]


class _Plan(Struct, frozen=True):
    groups: tuple[FileGroup, ...]
    manifest_of: dict[str, str]
    """Manifest of each live file, both by path."""


def compact(  # noqa: PLR0913 - settings of one operation, each with its default
    lake: Lake,
    table: str,
    *,
    quiet_minutes: float = 0,
    at_least: int = COMPACT_AT_LEAST,
    partitions: Collection[str] | None = None,
    memory_mb: int = SORT_MEMORY_MB,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Compacted:
    """Rewrite small files, below 75 % of ``write.target-file-size-bytes``, sorted and with the table's properties.

    :param quiet_minutes: only partitions to which nothing was added for so long; 0: all.
    :param at_least: how many small files a partition must have.
    :param partitions: only these, as paths; default all.
    :param memory_mb: limit of the sort; what does not fit is spilled to the lake's state folder.
    :param now: default the clock.
    :returns: what was done; in a dry run what would be, ``files_after`` and ``bytes_after`` being 0.
    :raises CodewaveError: where row counts differ, the table has row-level deletes, or other commits come first every
        time. What was committed until then stays.
    """
    quiet_since = (now or datetime.now(UTC)) - timedelta(minutes=quiet_minutes) if quiet_minutes else None
    wanted = None if partitions is None else frozenset(partitions)
    done = _Done()
    lake.state.mkdir(parents=True, exist_ok=True)
    for _ in range(_ROUNDS):
        handle = lake.load(table)
        plan = _plan(handle, quiet_since, at_least, wanted)
        if dry_run:
            done.add([_Rewritten(group, ()) for group in plan.groups])
            break
        for groups in _commits(plan.groups, target_size(handle)):
            rewritten, snapshot_id = _rewrite_and_commit(handle, plan, groups, lake.state, memory_mb)
            done.add(rewritten, snapshot_id, started_over=len(groups) - len(rewritten))
        # Again, for what others took out of the table, and since tiny files shrink to a tenth: what was as much as is
        # sorted at once may have become small files.
        wanted = frozenset(group.partition for group in plan.groups)
        if not wanted:
            break
    return done.result(table, dry_run=dry_run)


class _Done:
    """What is done so far: files that one round wrote and the next one read count as neither."""

    def __init__(self) -> None:
        self._partitions: set[str] = set()
        self._read: dict[str, DataFile] = {}
        self._written: dict[str, DataFile] = {}
        self._snapshot_ids: list[int] = []
        self._started_over = 0

    def add(self, rewritten: Iterable[_Rewritten], snapshot_id: int | None = None, started_over: int = 0) -> None:
        for one in rewritten:
            self._partitions.add(one.group.partition)
            for file in one.group.files:
                if self._written.pop(file.file_path, None) is None:
                    self._read[file.file_path] = file
            self._written |= {file.file_path: file for file in one.files}
        self._snapshot_ids += [] if snapshot_id is None else [snapshot_id]
        self._started_over += started_over

    def result(self, table: str, *, dry_run: bool) -> Compacted:
        return Compacted(
            table=table,
            partitions=tuple(sorted(self._partitions)),
            files_before=len(self._read),
            files_after=len(self._written),
            bytes_before=sum(file.file_size_in_bytes for file in self._read.values()),
            bytes_after=sum(file.file_size_in_bytes for file in self._written.values()),
            rows=sum(file.record_count for file in self._read.values()),
            snapshot_ids=tuple(self._snapshot_ids),
            started_over=self._started_over,
            dry_run=dry_run,
        )


def _plan(table: Table, quiet_since: datetime | None, at_least: int, wanted: frozenset[str] | None) -> _Plan:
    by_partition: dict[str, list[ManifestEntry]] = {}
    manifest_of: dict[str, str] = {}
    # What maintenance wrote is no sign of life, and a snapshot that is not known any more is an old one.
    added_at = {one.snapshot_id: one.timestamp_ms for one in table.snapshots() if not is_maintenance(one)}
    for manifest, entry in live_files(table):
        manifest_of[entry.data_file.file_path] = manifest
        if entry.data_file.spec_id == table.spec().spec_id:
            path = table.spec().partition_to_path(entry.data_file.partition, table.schema())
            by_partition.setdefault(path, []).append(entry)
    groups: list[FileGroup] = []
    for path, entries in sorted(by_partition.items()):
        if (wanted is None or path in wanted) and _is_quiet(entries, added_at, quiet_since):
            groups += _groups(table, path, entries, at_least)
    return _Plan(tuple(groups), manifest_of)


def _is_quiet(entries: Iterable[ManifestEntry], added_at: dict[int, int], since: datetime | None) -> bool:
    if since is None:
        return True
    newest = max(added_at.get(entry.snapshot_id or 0, 0) for entry in entries)
    return newest <= since.timestamp() * 1000


def _groups(table: Table, path: str, entries: Iterable[ManifestEntry], at_least: int) -> Iterator[FileGroup]:
    """Small files in the order in which they were added, as many at a time as are sorted at once."""
    target = target_size(table)
    small = [entry for entry in entries if entry.data_file.file_size_in_bytes < _SMALL * target]
    small.sort(key=lambda entry: (entry.sequence_number or 0, entry.data_file.file_path))
    files: list[DataFile] = []
    for number, entry in enumerate(small, 1):
        files.append(entry.data_file)
        full = sum(file.file_size_in_bytes for file in files) >= _GROUP_TARGETS * target
        if (full or number == len(small)) and len(files) >= at_least:
            yield FileGroup(path, table.spec().spec_id, files[0].partition, tuple(files))
        if full:
            files = []


def _commits(groups: Iterable[FileGroup], target: int) -> Iterator[list[FileGroup]]:
    """Groups that are committed together."""
    waiting: list[FileGroup] = []
    for group in groups:
        waiting.append(group)
        files = sum(len(one.files) for one in waiting)
        if files >= _COMMIT_FILES or sum(one.size_bytes for one in waiting) >= _COMMIT_TARGETS * target:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _rewrite_and_commit(
    table: Table, plan: _Plan, groups: list[FileGroup], spill: Path, memory_mb: int
) -> tuple[list[_Rewritten], int | None]:
    """Returns what was committed, and the snapshot; the other groups have to be planned again."""
    rewritten: list[_Rewritten] = []
    try:
        rewritten.extend(_Rewritten(group, tuple(rewrite(table, group, spill, memory_mb))) for group in groups)
        while rewritten:
            try:
                table.refresh()
                return rewritten, commit_exchange(table, _exchange(plan, rewritten)).snapshot_id
            except FilesGoneError as error:
                lost = [one for one in rewritten if not error.paths.isdisjoint(one.group.paths)]
                rewritten = [one for one in rewritten if one not in lost]
                _drop(table, lost)
    except CodewaveError:
        _drop(table, rewritten)
        raise
    return [], None


def _drop(table: Table, rewritten: Iterable[_Rewritten]) -> None:
    delete_files(table.io, [file.file_path for one in rewritten for file in one.files])


def _exchange(plan: _Plan, rewritten: list[_Rewritten]) -> Exchange:
    removed = frozenset(path for one in rewritten for path in one.group.paths)
    holding = {plan.manifest_of[path] for path in removed}
    return Exchange(
        Operation.REPLACE,
        COMPACT,
        added=tuple(file for one in rewritten for file in one.files),
        removed=removed,
        passed_over=frozenset(plan.manifest_of.values()) - holding,
    )
