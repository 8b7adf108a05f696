"""Expires old snapshots, then removes the files that only they reached."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import RemoveSnapshotsUpdate

from codewave.errors import CodewaveError
from iceberg.lake import Lake
from iceberg.maintenance.exchange import unchanged
from iceberg.maintenance.history import Bounds, kept_snapshots
from iceberg.maintenance.reachable import Reached, reached_only_by
from iceberg.maintenance.storage import delete_files, own_files, write_list
from iceberg.maintenance_defaults import JOB_DAYS, NEWEST_SNAPSHOTS, SNAPSHOT_DAYS

_AT_ONCE: Final = 500
"""Snapshots of one commit: pyiceberg compares each with each."""
_ATTEMPTS: Final = 20
_WAIT_S: Final = 0.05


class Expired(Struct, frozen=True):
    """What was expired and removed."""

    table: str
    snapshots: int
    snapshots_kept: int
    data_files: int
    manifests: int
    manifest_lists: int
    statistics_files: int
    list_file: str | None
    """Where the names of what was removed are; in a dry run of what would be; none where that is nothing."""
    dry_run: bool


def expire_snapshots(  # noqa: PLR0913 - settings of one operation, each with its default
    lake: Lake,
    table: str,
    *,
    older_than_days: float = SNAPSHOT_DAYS,
    newest: int = NEWEST_SNAPSHOTS,
    job_days: float = JOB_DAYS,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Expired:
    """Expire the snapshots that nobody needs any more, and remove the files that only those reached.

    Never expired: the head of a branch, a tagged snapshot, the last one that Flink committed and all after it.

    Where it dies between the commit and the last file, the rest of the files are orphans: :func:`remove_orphans`.

    :param older_than_days: age that a snapshot must have; what retention or an erasure took out of the table is on disk
        as long.
    :param newest: how many of each branch stay whatever their age.
    :param job_days: the last commit of each Flink job that is younger stays, with all after it.
    :param now: default the clock.
    :raises CodewaveError: where other commits come first every time.
    """
    if newest < 1:
        raise CodewaveError(f"{table}: at least one snapshot has to stay; give a larger number")
    moment = now or datetime.now(UTC)
    bounds = Bounds(moment - timedelta(days=older_than_days), newest, moment - timedelta(days=job_days))
    handle = lake.load(table)
    metadata = handle.metadata
    wanted = _expendable(metadata, bounds)
    expired = set(wanted) if dry_run else {one for some in _slices(wanted) for one in _expire(handle, some, bounds)}
    going = [one for one in metadata.snapshots if one.snapshot_id in expired]
    staying, reached = _reached_only_by(handle, metadata, going)
    files = own_files(handle, reached.all())
    list_file = write_list(lake, table, "expired", files, dry_run=dry_run)
    removed = frozenset(files if dry_run else delete_files(handle.io, files))
    return Expired(
        table=table,
        snapshots=len(going),
        snapshots_kept=staying,
        data_files=len(reached.data & removed),
        manifests=len(reached.manifests & removed),
        manifest_lists=len(reached.manifest_lists & removed),
        statistics_files=len(reached.statistics & removed),
        list_file=list_file,
        dry_run=dry_run,
    )


def _reached_only_by(table: Table, before: TableMetadata, going: list[Snapshot]) -> tuple[int, Reached]:
    """Returns how many snapshots stay, and the files that only the others reach."""
    ids = {one.snapshot_id for one in going}
    for _ in range(_ATTEMPTS):
        # Of the newest metadata: the snapshots that came meanwhile reach files, too.
        staying = [one for one in table.snapshots() if one.snapshot_id not in ids]
        try:
            return len(staying), reached_only_by(before, table.io, going, staying) if going else Reached()
        except FileNotFoundError:
            table.refresh()  # another run has expired some of those that stay
    raise CodewaveError(f"{'.'.join(table.name())}: other runs expire it at the same time; run `tables remove-orphans`")


def _expendable(metadata: TableMetadata, bounds: Bounds) -> list[int]:
    """Ids, the oldest first: so the history never has a hole."""
    kept = kept_snapshots(metadata, bounds)
    going = [one for one in metadata.snapshots if one.snapshot_id not in kept]
    return [one.snapshot_id for one in sorted(going, key=lambda one: (one.sequence_number or 0, one.timestamp_ms))]


def _slices(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _expire(table: Table, ids: list[int], bounds: Bounds) -> list[int]:
    """Returns those that this commit expired."""
    for _ in range(_ATTEMPTS):
        table.refresh()
        # Decided again for every attempt: a tag may have been set, the branch rolled back, another run been quicker.
        expendable = set(_expendable(table.metadata, bounds))
        going = [one for one in ids if one in expendable]
        if not going:
            return []
        try:
            # Not `maintenance.expire_snapshots()`: it commits whatever became of the branch.
            removal = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": going})
            table._do_commit((removal,), unchanged(table.metadata))
        except CommitFailedException:
            time.sleep(_WAIT_S)
        else:
            return going
    raise CodewaveError(f"{'.'.join(table.name())}: expiry lost against other commits {_ATTEMPTS} times; run it again")
