"""Removes files under a table's location that none of its snapshots reaches: what writers that died left behind.

Iceberg's classic accident is to compare names that are written differently, ``s3://`` and ``s3a://`` say, and to
remove every file. So names are compared without scheme, and nothing is removed where a file of the newest snapshot is
not found among those that the storage lists.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from pyiceberg.table import Table

from codewave.errors import CodewaveError, WrongUseError
from iceberg.lake import Lake
from iceberg.maintenance.history import last_of_flink
from iceberg.maintenance.reachable import metadata_files, reached_by
from iceberg.maintenance.storage import StoredFile, delete_files, is_under, list_files, plain_path, write_list
from iceberg.maintenance_defaults import ORPHAN_DAYS, ORPHAN_SAFE_DAYS

_CHECKSUM: Final = re.compile(r"^(.*/)\.([^/]+)\.crc$")
"""Hadoop writes one beside each file on a local disk; here the catalog server still does."""


class OrphansRemoved(Struct, frozen=True):
    """What was removed."""

    table: str
    files_found: int
    """Under the table's location."""
    files_removed: int
    """In a dry run: what would be."""
    before: datetime
    """Only files that were last changed before this are removed."""
    size_bytes: int
    list_file: str | None
    """Where the names of what was removed are; in a dry run of what would be; none where that is nothing."""
    dry_run: bool


def remove_orphans(  # noqa: PLR0913 - settings of one operation, each with its default
    lake: Lake,
    table: str,
    *,
    older_than_days: float = ORPHAN_DAYS,
    force: bool = False,
    now: datetime | None = None,
    dry_run: bool = False,
) -> OrphansRemoved:
    """Remove the files that no snapshot reaches.

    A Flink job writes files that it commits later, and a job that is down commits them when it is resumed. So age is
    not counted from now, but from the last commit that Flink made to the table: what it wrote after that is not old.

    :param older_than_days: age that a file must have; less than a day is refused.
    :param force: allow less than a day all the same; only where nothing writes to the table.
    :param now: default the clock.
    :raises WrongUseError: for an age that is not safe.
    :raises CodewaveError: where the storage can't be listed, or does not list a file that the table has.
    """
    if older_than_days < ORPHAN_SAFE_DAYS and not force:
        raise WrongUseError(
            f"{table}: files younger than {ORPHAN_SAFE_DAYS:g} day may belong to a commit that is under way"
        )
    handle = lake.load(table)
    before = _last_alive(handle, now or datetime.now(UTC)) - timedelta(days=older_than_days)
    # Listed first: a file that is committed after that is not among those found.
    found = list_files(handle)
    _check_names(handle, found)
    handle.refresh()
    known = _known(handle)
    orphans = [one for one in found if one.changed_at < before and _belongs_to(one.path) not in known]
    locations = [_location(handle, one) for one in orphans]
    list_file = write_list(lake, table, "orphans", locations, dry_run=dry_run)
    if not dry_run:
        delete_files(handle.io, locations)
    size = sum(one.size_bytes for one in orphans)
    return OrphansRemoved(table, len(found), len(orphans), before, size, list_file, dry_run)


def _belongs_to(path: str) -> str:
    """The file that a checksum is of; another file itself."""
    return _CHECKSUM.sub(r"\1\2", path)


def _last_alive(table: Table, now: datetime) -> datetime:
    last = last_of_flink(table.metadata)
    if last is None:
        return now
    return min(now, datetime.fromtimestamp(last.timestamp_ms / 1000, UTC))


def _check_names(table: Table, found: list[StoredFile]) -> None:
    head = table.current_snapshot()
    if head is None:
        return
    reached = reached_by(table.metadata, table.io, [head])
    expected = {plain_path(one) for one in reached.all() if is_under(one, table.location())}
    if missing := expected - {one.path for one in found}:
        raise CodewaveError(
            f"{'.'.join(table.name())}: the storage does not list {min(missing)}, which the newest snapshot has, nor "
            f"{len(missing) - 1} others; nothing was removed; if the table can be read, run it again"
        )


def _known(table: Table) -> set[str]:
    try:
        reached = reached_by(table.metadata, table.io, table.snapshots())
    except FileNotFoundError as error:
        raise CodewaveError(
            f"{'.'.join(table.name())}: {error} was removed meanwhile, by an expiry, say; nothing was removed here; "
            "run it again"
        ) from error
    return {plain_path(one) for one in (*reached.all(), *metadata_files(table))}


def _location(table: Table, file: StoredFile) -> str:
    scheme, separator, _ = table.location().partition("://")
    return f"{scheme}://{file.path}" if separator and scheme != "file" else file.path
