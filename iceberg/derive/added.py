"""Which data files came to a source since a mark, read from its newest manifests.

A file is new if its sequence number is higher than the mark's. Snapshots that only rewrite (compaction) touch nothing:
their files are left out, and the ones that they took away count in their stead if those were new. This needs no
snapshot but the newest and the rewriting ones, so a mark whose own snapshot has expired serves as well; where a
rewriting snapshot has expired, its files count as new, which touches more than need be and never less.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from pyiceberg.manifest import DataFile, DataFileContent, ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from iceberg.derive.interval import Interval
from iceberg.derive.marks import Mark

INTERVAL_START = "codewave.interval-start"
INTERVAL_END = "codewave.interval-end"
"""In the summary of a snapshot that a run made: the interval that it replaced."""


class Added(Struct, frozen=True):
    """What came to a source since a mark."""

    files: tuple[DataFile, ...]
    """New files; not those that a run of a derived table wrote."""
    intervals: frozenset[Interval]
    """Replaced by runs, where the source is a derived table itself."""
    complete: bool
    """False if snapshots since the mark have expired or the table was rolled back: rows that a run took out of an
    interval cannot be seen any more."""


def added_since(table: Table, mark: Mark | None) -> Added:
    """What came to a table since a mark; everything it holds if there is none."""
    newest = table.current_snapshot()
    if newest is None or (mark and mark.snapshot_id == newest.snapshot_id):
        return Added((), frozenset(), complete=True)
    since, complete = _since(table, newest, mark)
    intervals = frozenset(found for one in since.values() if (found := replaced_interval(one)))
    left_out = {one.snapshot_id for one in since.values() if _rewrites(one) or replaced_interval(one)}
    lowest = mark.sequence_number if mark and _is_ancestor_or_gone(table, newest, mark) else -1
    entries = _live_entries(table, newest, lowest)
    files = {file.file_path: file for snapshot_id, file in entries if snapshot_id not in left_out}
    for one in since.values():
        if _rewrites(one):
            files |= {file.file_path: file for file in _taken_away(table, one, lowest, left_out)}
    return Added(tuple(files.values()), intervals, complete)


def replaced_interval(snapshot: Snapshot) -> Interval | None:
    """The interval that a run replaced by this snapshot; None of any other snapshot."""
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    start, end = summary.get(INTERVAL_START), summary.get(INTERVAL_END)
    return Interval(datetime.fromisoformat(start), datetime.fromisoformat(end)) if start and end else None


def _rewrites(snapshot: Snapshot) -> bool:
    return snapshot.summary is not None and snapshot.summary.operation == Operation.REPLACE


def _since(table: Table, newest: Snapshot, mark: Mark | None) -> tuple[dict[int, Snapshot], bool]:
    """Snapshots after the mark, and whether they are all there."""
    found: dict[int, Snapshot] = {}
    one: Snapshot | None = newest
    while one is not None:
        if mark and one.snapshot_id == mark.snapshot_id:
            return found, True
        found[one.snapshot_id] = one
        if one.parent_snapshot_id is None:
            return found, mark is None
        one = table.snapshot_by_id(one.parent_snapshot_id)
    return found, False


def _is_ancestor_or_gone(table: Table, newest: Snapshot, mark: Mark) -> bool:
    """False after a rollback: files from before the mark may have come back."""
    if table.snapshot_by_id(mark.snapshot_id) is None:
        return True
    return _since(table, newest, mark)[1]


def _live_entries(table: Table, newest: Snapshot, lowest: int) -> Iterator[tuple[int, DataFile]]:
    for manifest in newest.manifests(table.io):
        if (manifest.sequence_number or 0) > lowest:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                data = entry.data_file.content == DataFileContent.DATA
                if data and (entry.sequence_number or 0) > lowest:
                    yield entry.snapshot_id or 0, entry.data_file


def _taken_away(table: Table, rewriting: Snapshot, lowest: int, left_out: set[int]) -> Iterator[DataFile]:
    by_sequence = {one.sequence_number: one.snapshot_id for one in table.metadata.snapshots}
    for manifest in rewriting.manifests(table.io):
        if not _has_deleted(manifest, rewriting):
            continue
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
            deleted = entry.status == ManifestEntryStatus.DELETED and entry.snapshot_id == rewriting.snapshot_id
            sequence = entry.sequence_number or 0
            if deleted and sequence > lowest and by_sequence.get(sequence) not in left_out:
                yield entry.data_file


def _has_deleted(manifest: ManifestFile, snapshot: Snapshot) -> bool:
    return manifest.added_snapshot_id == snapshot.snapshot_id and bool(manifest.deleted_files_count)
