"""Takes rows out of a table that are older than it keeps them, by whole partitions; expiry then removes the files."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from msgspec import Struct
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from iceberg.definition import Partition
from iceberg.derive.reach import note_retained_from
from iceberg.lake import Lake
from iceberg.maintenance.exchange import Exchange, FilesGoneError, commit_exchange
from iceberg.maintenance.reachable import live_files

RETAIN: Final = "retain"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = 12
_ROUNDS: Final = 3


class Retained(Struct, frozen=True):
    """What was taken out of a table."""

    table: str
    before: datetime | None
    """Every partition that ends by then is gone; none where the table has no time partition: its rows stay."""
    partitions: tuple[str, ...]
    files: int
    rows: int
    snapshot_id: int | None
    """None where there was nothing to take out, or in a dry run."""
    dry_run: bool


class _Old(Struct, frozen=True):
    paths: frozenset[str]
    rows: int
    partitions: tuple[str, ...]
    other_manifests: frozenset[str]
    until: datetime | None
    """When the last of these partitions ended."""


def apply_retention(lake: Lake, table: str, *, now: datetime | None = None, dry_run: bool = False) -> Retained:
    """Take out the partitions that lie as a whole before the table's ``retention_days``, in one commit.

    A row therefore stays up to one partition longer (an hour, a day or a month). The files are there until the
    snapshots that reach them are expired.

    :param now: default the clock.
    :raises CodewaveError: where the table does not exist, or other commits come first every time.
    """
    definition = lake.definition(table)
    times = [part for part in definition.partitions() if part.transform in _ENDS]
    if not times:
        return Retained(table, None, (), 0, 0, None, dry_run)
    before = (now or datetime.now(UTC)) - timedelta(days=definition.retention_days)
    for _ in range(_ROUNDS - 1):
        try:
            return _take_out(lake, table, times[0], before, dry_run=dry_run)
        except FilesGoneError:
            continue  # compaction or another run has exchanged some of them meanwhile
    return _take_out(lake, table, times[0], before, dry_run=dry_run)


def _take_out(lake: Lake, table: str, part: Partition, before: datetime, *, dry_run: bool) -> Retained:
    handle = lake.load(table)
    old = _find_old(handle, part, before)
    snapshot_id = None
    if old.until and not dry_run:
        note_retained_from(lake, table, old.until)  # derived tables keep what was made from these rows
        exchange = Exchange(Operation.DELETE, RETAIN, removed=old.paths, passed_over=old.other_manifests)
        snapshot_id = commit_exchange(lake.load(table), exchange).snapshot_id
    return Retained(table, before, old.partitions, len(old.paths), old.rows, snapshot_id, dry_run)


def _find_old(table: Table, part: Partition, before: datetime) -> _Old:
    ends = _ENDS[part.transform]
    paths: set[str] = set()
    rows, partitions = 0, set()
    holding, manifests = set(), set()
    until: datetime | None = None
    for manifest, entry in live_files(table):
        file, spec = entry.data_file, table.specs()[entry.data_file.spec_id]
        manifests.add(manifest)
        position = [field.name for field in spec.fields].index(part.name)
        value = file.partition[position]
        if value is None or ends(value) > before:
            continue
        holding.add(manifest)
        paths.add(file.file_path)
        rows += file.record_count
        until = max(until or _EPOCH, ends(value))
        partitions.add(spec.partition_to_path(file.partition, table.schema()))
    return _Old(frozenset(paths), rows, tuple(sorted(partitions)), frozenset(manifests - holding), until)


def _month_end(month: int) -> datetime:
    year, index = divmod(month + 1, _MONTHS)
    return datetime.combine(date(_EPOCH.year + year, index + 1, 1), datetime.min.time(), UTC)


_ENDS: Final[dict[str, Callable[[int], datetime]]] = {
    "hour": lambda hour: _EPOCH + timedelta(hours=hour + 1),
    "day": lambda day: _EPOCH + timedelta(days=day + 1),
    "month": _month_end,
}
"""When a partition ends, by its number since 1970 (Iceberg specification, partition transforms)."""
