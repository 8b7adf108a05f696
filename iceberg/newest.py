"""The newest rows of a table: whether there are any that nobody was told of, and whether they come in time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from iceberg.definition import TableDefinition
from iceberg.derive.marks import read_mark
from iceberg.lake import Lake

_ROWS: Final = ("added-records", "deleted-records", "added-data-files", "deleted-data-files", "added-delete-files")
"""What a snapshot's summary counts if it has other rows than the one before; Flink also commits ones without any."""


class News(Struct, frozen=True):
    """A snapshot with rows that were not there before."""

    table: str
    snapshot_id: int
    committed_at: datetime


class Stale(Struct, frozen=True):
    """A table whose rows do not come in time."""

    table: str
    since: datetime | None
    """Of the stream: when it was committed to last; nothing if never. Of a derived table: when the oldest rows of a
    source were committed that it does not have yet."""
    allowed: timedelta
    derived: bool = False

    def reason(self, now: datetime) -> str:
        """What is wrong, in words."""
        if self.since is None:
            return "nothing has ever been committed to it"
        minutes, allowed = (int(one.total_seconds() // 60) for one in (now - self.since, self.allowed))
        if self.derived:
            return f"it lacks rows that a source has had for {minutes} minutes, more than {allowed}"
        return f"the last commit to it was {minutes} minutes ago, more than {allowed}"


def news(lake: Lake, table: str, seen: int | None) -> News | None:
    """What a table has beyond a snapshot.

    :param seen: id of the last snapshot that was told of, nothing if none was.
    :returns: its newest snapshot, or ``None`` if those since ``seen`` only rewrote files or are empty. Where ``seen``
        is not known any more (expired, rolled back), whatever is there is new.
    :raises CodewaveError: if the table does not exist.
    """
    found = lake.load(table)
    newest = found.current_snapshot()
    if newest is None:
        return None
    since = list(_until(found, newest, seen))
    known = len(since) == 0 or since[-1].parent_snapshot_id == seen
    if known and not any(_changes_rows(one) for one in since):
        return None
    return News(table, newest.snapshot_id, _committed_at(newest))


def stale_tables(lake: Lake, now: datetime) -> list[Stale]:
    """The tables whose rows do not come within ``freshness_minutes`` of their folder; those without it are left out.

    A table of the stream is stale when nothing has been committed to it for so long. Flink commits even when nothing
    comes in (an empty snapshot every tenth checkpoint), so a quiet night is no alert, and a stream that stands still
    is one. A derived table is stale when a source has had rows for so long that it has not taken in.
    """
    found = []
    for definition in lake.definitions:
        if definition.freshness_minutes is None:
            continue
        allowed = timedelta(minutes=definition.freshness_minutes)
        if definition.derived:
            since = _behind_since(lake, definition)
            stale = since is not None and now - since > allowed
        else:
            since = _last_commit(lake.load(definition.name))
            stale = since is None or now - since > allowed
        if stale:
            found.append(Stale(definition.name, since, allowed, definition.derived))
    return found


def _last_commit(table: Table) -> datetime | None:
    newest = table.current_snapshot()
    if newest is None:
        return None
    commits = (one for one in _until(table, newest, None) if not _is_rewrite(one))
    # Those before are expired: then the oldest that is left tells at least how long ago it was.
    return _committed_at(next(commits, newest))


def _behind_since(lake: Lake, definition: TableDefinition) -> datetime | None:
    target = lake.load(definition.name)
    waiting = []
    for source in definition.touched_by:
        handle = lake.load(source)
        newest, mark = handle.current_snapshot(), read_mark(target, source)
        if newest is not None:
            waiting += [one for one in _until(handle, newest, mark.snapshot_id if mark else None) if _changes_rows(one)]
    return min(map(_committed_at, waiting), default=None)


def _until(table: Table, newest: Snapshot, last: int | None) -> Iterator[Snapshot]:
    """Snapshots from the newest back to the one after ``last``, as far as they are there."""
    snapshot: Snapshot | None = newest
    while snapshot is not None and snapshot.snapshot_id != last:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None


def _is_rewrite(snapshot: Snapshot) -> bool:
    return snapshot.summary is not None and snapshot.summary.operation == Operation.REPLACE


def _changes_rows(snapshot: Snapshot) -> bool:
    if _is_rewrite(snapshot):
        return False
    summary = snapshot.summary
    return summary is None or any(int(summary.get(name) or 0) for name in _ROWS)


def _committed_at(snapshot: Snapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, tz=UTC)
