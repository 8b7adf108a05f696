"""Which files a table's snapshots reach: data files, manifests, manifest lists, statistics, metadata files."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestContent, ManifestEntry, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot

from codewave.errors import CodewaveError


class Reached(Struct, frozen=True):
    """Locations of files, by what they are."""

    data: frozenset[str] = frozenset()
    manifests: frozenset[str] = frozenset()
    manifest_lists: frozenset[str] = frozenset()
    statistics: frozenset[str] = frozenset()

    def all(self) -> frozenset[str]:
        """Every one of them."""
        return self.data | self.manifests | self.manifest_lists | self.statistics


def live_files(table: Table) -> Iterator[tuple[str, ManifestEntry]]:
    """The data files of the newest snapshot, each with the path of its manifest.

    :raises CodewaveError: as :func:`refuse_row_deletes`.
    """
    head = table.current_snapshot()
    manifests = head.manifests(table.io) if head else []
    refuse_row_deletes(table, manifests)
    for manifest in manifests:
        if manifest.content == ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(table.io):
                yield manifest.manifest_path, entry


def refuse_row_deletes(table: Table, manifests: Iterable[ManifestFile]) -> None:
    """Refuse a table with row-level deletes, as Athena's DELETE writes them: read without them, rows would come back.

    :raises CodewaveError: if there are any.
    """
    deletes = [one for one in manifests if one.content == ManifestContent.DELETES]
    if any(one.has_added_files() or one.has_existing_files() for one in deletes):
        name = ".".join(table.name())
        raise CodewaveError(
            f"{name}: has row-level deletes; let Athena apply them: OPTIMIZE {name} REWRITE DATA USING BIN_PACK"
        )


def reached_by(metadata: TableMetadata, io: FileIO, snapshots: Iterable[Snapshot]) -> Reached:
    """What some of a table's snapshots reach.

    :raises FileNotFoundError: where they have been expired meanwhile.
    """
    chosen = list(snapshots)
    manifests = {one.manifest_path: one for snapshot in chosen for one in snapshot.manifests(io)}
    return Reached(
        frozenset(path for one in manifests.values() for path in _data_files(one, io)),
        frozenset(manifests),
        frozenset(one.manifest_list for one in chosen),
        _statistics(metadata, chosen),
    )


def reached_only_by(
    metadata: TableMetadata, io: FileIO, some: Iterable[Snapshot], others: Iterable[Snapshot]
) -> Reached:
    """What ``some`` snapshots reach, or say that they removed, and none of the ``others`` reaches.

    Of the first, what is gone already is passed over: another run is removing them, too.

    :param metadata: that still holds all of them.
    """
    going, kept = list(some), reached_by(metadata, io, others)
    manifests = {one.manifest_path: one for snapshot in going for one in _listed_still(snapshot, io)}
    only = [one for path, one in manifests.items() if path not in kept.manifests]
    return Reached(
        frozenset(path for one in only for path in _named_still(one, io)) - kept.data,
        frozenset(one.manifest_path for one in only),
        frozenset(one.manifest_list for one in going) - kept.manifest_lists,
        _statistics(metadata, going) - kept.statistics,
    )


def metadata_files(table: Table) -> frozenset[str]:
    """The current metadata file and those before it that a reader may have pinned."""
    return frozenset({table.metadata_location, *(one.metadata_file for one in table.metadata.metadata_log)})


def _data_files(manifest: ManifestFile, io: FileIO, *, removed_too: bool = False) -> list[str]:
    entries = manifest.fetch_manifest_entry(io, discard_deleted=not removed_too)
    return [entry.data_file.file_path for entry in entries]


def _listed_still(snapshot: Snapshot, io: FileIO) -> list[ManifestFile]:
    try:
        return snapshot.manifests(io)
    except FileNotFoundError:
        return []


def _named_still(manifest: ManifestFile, io: FileIO) -> list[str]:
    try:
        return _data_files(manifest, io, removed_too=True)
    except FileNotFoundError:
        return []


def _statistics(metadata: TableMetadata, snapshots: Iterable[Snapshot]) -> frozenset[str]:
    ids = {one.snapshot_id for one in snapshots}
    known = [*metadata.statistics, *metadata.partition_statistics]
    return frozenset(one.statistics_path for one in known if one.snapshot_id in ids)
