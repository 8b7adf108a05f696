"""A snapshot that exchanges files of a table for others, committed on top of whatever the writers commit meanwhile.

pyiceberg has no rewrite: its overwrite cannot say ``replace``, takes every append made meanwhile for a conflict and
does all of its work again for every attempt, which never ends on a table that is committed every few seconds. Here an
attempt reads only the manifests that the last one has not seen.
"""

import random
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import uuid4

from msgspec import Struct
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import (
    DataFile,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriter,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, SnapshotSummaryCollector, Summary, update_snapshot_summaries
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertRefSnapshotId,
    AssertTableUUID,
    SetSnapshotRefUpdate,
    TableRequirement,
)

from codewave.errors import CodewaveError
from iceberg.maintenance.reachable import refuse_row_deletes
from iceberg.maintenance.storage import delete_files

OPERATION: Final = "codewave.operation"
"""In a snapshot's summary: what maintenance did. Who looks for new rows skips every snapshot that has it."""

_ATTEMPTS: Final = 20
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0
_MANIFEST_SIZE: Final = "commit.manifest.target-size-bytes"
_MANIFEST_SIZE_BYTES: Final = 8 * 1024 * 1024  # Iceberg's default of that property
_CODEC: Final = "write.avro.compression-codec"


class FilesGoneError(Exception):
    """Files to be exchanged are not in the newest snapshot any more: plan again without them."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__(f"{len(paths)} files are not in the table any more")
        self.paths = paths


class Exchange(Struct, frozen=True):
    """What a snapshot does."""

    operation: Operation
    name: str
    """For :data:`OPERATION`."""
    added: tuple[DataFile, ...] = ()
    removed: frozenset[str] = frozenset()
    """Paths of data files."""
    merge: Callable[[ManifestFile], bool] = lambda _: False
    """Which manifests are merged with others although none of their files go."""
    passed_over: frozenset[str] = frozenset()
    """Paths of manifests known to hold none of ``removed``; they are not read again."""


class Exchanged(Struct, frozen=True):
    """What was committed."""

    snapshot_id: int
    manifests_before: int
    manifests_after: int


def is_maintenance(snapshot: Snapshot) -> bool:
    """Whether a snapshot was made by maintenance."""
    return snapshot.summary is not None and OPERATION in snapshot.summary.additional_properties


def commit_exchange(table: Table, exchange: Exchange) -> Exchanged:
    """Commit one snapshot on the main branch, again on the newest head until it goes through.

    Appends made meanwhile are kept. A commit whose answer was lost is found by its snapshot id.

    :param table: a handle of its own; it is refreshed.
    :raises FilesGoneError: where a file to be removed is not in the newest snapshot; nothing was changed.
    :raises CodewaveError: where it is beaten to it every time, or files are replaced in a table that has row-level
        deletes by now; nothing was changed.
    """
    attempt = _Attempt(table, exchange)
    for number in range(_ATTEMPTS):
        try:
            return attempt.commit()
        except CommitFailedException:
            # What it says is certain: the catalog did not take this attempt.
            table.refresh()
            if table.snapshot_by_id(attempt.snapshot_id) is not None:
                return attempt.outcome()
            attempt.drop_list()
            time.sleep(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**number) * random.uniform(0.5, 1))  # noqa: S311
        except (FilesGoneError, CodewaveError):
            attempt.drop()
            raise
        except Exception:
            # Anything else may have been carried out: where it was not, the files are orphans.
            table.refresh()
            if table.snapshot_by_id(attempt.snapshot_id) is not None:
                return attempt.outcome()
            raise
    attempt.drop()
    name = ".".join(table.name())
    raise CodewaveError(f"{name}: {exchange.name} lost against other commits {_ATTEMPTS} times; run it again later")


def unchanged(metadata: TableMetadata) -> tuple[TableRequirement, ...]:
    """What the catalog holds a commit to: that the main branch is still where this metadata has it."""
    head = metadata.current_snapshot_id
    return (
        AssertRefSnapshotId.model_validate({"ref": MAIN_BRANCH, "snapshot-id": head}),
        AssertTableUUID(uuid=metadata.table_uuid),
    )


class _Attempt:
    """The snapshot's manifests: what was written for one head is used again for the next."""

    def __init__(self, table: Table, exchange: Exchange) -> None:
        self._table, self._exchange = table, exchange
        self.snapshot_id = table.metadata.new_snapshot_id()
        self._before = self._after = 0
        self._list = ""
        self._forget()

    def _forget(self) -> None:
        self._untouched = set(self._exchange.passed_over)
        self._replaced: set[str] = set()
        self._written: list[ManifestFile] = []
        self._removed: dict[str, ManifestEntry] = {}
        self._own: list[ManifestFile] = []
        """Manifests of what this snapshot itself adds and removes."""

    def outcome(self) -> Exchanged:
        return Exchanged(self.snapshot_id, self._before, self._after)

    def drop_list(self) -> None:
        """Remove the manifest list of an attempt that failed."""
        delete_files(self._table.io, [self._list] if self._list else [])
        self._list = ""

    def drop(self) -> None:
        """Remove all that was written for a snapshot that will not be."""
        self.drop_list()
        delete_files(self._table.io, [one.manifest_path for one in (*self._written, *self._own)])

    def commit(self) -> Exchanged:
        metadata = self._table.metadata
        head = metadata.current_snapshot()
        if head is None:
            raise FilesGoneError(self._exchange.removed)
        manifests = self._manifests(head)
        sequence_number = metadata.next_sequence_number()
        self._list = self._write_list(manifests, head, sequence_number)
        snapshot = Snapshot.model_validate(
            {
                "snapshot-id": self.snapshot_id,
                "parent-snapshot-id": head.snapshot_id,
                "sequence-number": sequence_number,
                "manifest-list": self._list,
                "summary": self._summary(head),
                "schema-id": metadata.current_schema_id,
            }
        )
        branch = {"ref-name": MAIN_BRANCH, "type": SnapshotRefType.BRANCH, "snapshot-id": self.snapshot_id}
        # `_do_commit` and not a transaction: that copies the whole history ten times, and tries again on its own.
        self._table._do_commit(
            (
                AddSnapshotUpdate(snapshot=snapshot),
                SetSnapshotRefUpdate.model_validate(branch),
            ),
            unchanged(metadata),
        )
        return self.outcome()

    def _manifests(self, head: Snapshot) -> list[ManifestFile]:
        manifests = head.manifests(self._table.io)
        if self._exchange.added:
            refuse_row_deletes(self._table, manifests)
        if not self._replaced <= {one.manifest_path for one in manifests}:
            self.drop()  # somebody else has rewritten manifests that were merged here
            self._forget()
        rest = [entry for one in manifests if self._is_new(one) for entry in self._take(one)]
        if missing := self._exchange.removed - self._removed.keys():
            raise FilesGoneError(missing)
        self._written += self._write(rest, ManifestWriter.existing)
        if not self._own:
            self._own = self._write_own()
        kept = [one for one in manifests if one.manifest_path not in self._replaced]
        result = [*self._own, *self._written, *kept]
        self._before, self._after = len(manifests), len(result)
        return result

    def _is_new(self, manifest: ManifestFile) -> bool:
        path = manifest.manifest_path
        return manifest.content == ManifestContent.DATA and path not in self._untouched and path not in self._replaced

    def _take(self, manifest: ManifestFile) -> list[ManifestEntry]:
        """The entries that go into a merged manifest: none where this one stays as it is."""
        entries = manifest.fetch_manifest_entry(self._table.io)
        gone = {
            entry.data_file.file_path: entry for entry in entries if entry.data_file.file_path in self._exchange.removed
        }
        if not gone and not self._exchange.merge(manifest):
            self._untouched.add(manifest.manifest_path)
            return []
        self._removed |= gone
        self._replaced.add(manifest.manifest_path)
        return [entry for entry in entries if entry.data_file.file_path not in gone]

    def _write_own(self) -> list[ManifestFile]:
        added = [
            ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED,
                snapshot_id=self.snapshot_id,
                sequence_number=None,
                file_sequence_number=None,
                data_file=file,
            )
            for file in self._exchange.added
        ]
        return self._write(added, ManifestWriter.add) + self._write(self._removed.values(), ManifestWriter.delete)

    def _write(
        self, entries: Iterable[ManifestEntry], write: Callable[[ManifestWriter, ManifestEntry], ManifestWriter]
    ) -> list[ManifestFile]:
        """Write entries into manifests of the table's target size, files of a partition together."""
        by_spec: dict[int, list[ManifestEntry]] = {}
        for entry in entries:
            by_spec.setdefault(entry.data_file.spec_id, []).append(entry)
        written: list[ManifestFile] = []
        for spec_id, some in by_spec.items():
            waiting = sorted(some, key=lambda entry: _order(entry.data_file))
            while waiting:
                manifest, waiting = self._write_one(self._table.specs()[spec_id], waiting, write)
                written.append(manifest)
        return written

    def _write_one(
        self,
        spec: PartitionSpec,
        entries: list[ManifestEntry],
        write: Callable[[ManifestWriter, ManifestEntry], ManifestWriter],
    ) -> tuple[ManifestFile, list[ManifestEntry]]:
        limit = int(self._table.properties.get(_MANIFEST_SIZE, _MANIFEST_SIZE_BYTES))
        count = 0
        writer = write_manifest(
            format_version=self._table.format_version,
            spec=spec,
            schema=self._table.schema(),
            output_file=self._table.io.new_output(self._new_path(f"{uuid4()}-m0.avro")),
            snapshot_id=self.snapshot_id,
            avro_compression=self._codec(),
        )
        with writer:
            while count < len(entries) and (count == 0 or writer.tell() < limit):
                write(writer, entries[count])
                count += 1
        return writer.to_manifest_file(), entries[count:]

    def _write_list(self, manifests: list[ManifestFile], head: Snapshot, sequence_number: int) -> str:
        path = self._new_path(f"snap-{self.snapshot_id}-0-{uuid4()}.avro")
        writer = write_manifest_list(
            format_version=self._table.format_version,
            output_file=self._table.io.new_output(path),
            snapshot_id=self.snapshot_id,
            parent_snapshot_id=head.snapshot_id,
            sequence_number=sequence_number,
            avro_compression=self._codec(),
        )
        with writer:
            writer.add_manifests(manifests)
        return path

    def _new_path(self, name: str) -> str:
        return self._table.location_provider().new_metadata_location(name)

    def _codec(self) -> Any:
        return self._table.properties.get(_CODEC, "gzip")  # both writers take Iceberg's names, too

    def _summary(self, head: Snapshot) -> Summary:
        schema, specs = self._table.schema(), self._table.specs()
        counts = SnapshotSummaryCollector()
        for file in self._exchange.added:
            counts.add_file(file, schema, specs[file.spec_id])
        for entry in self._removed.values():
            counts.remove_file(entry.data_file, schema, specs[entry.data_file.spec_id])
        # pyiceberg counts totals for every operation but `replace`.
        told = update_snapshot_summaries(
            Summary(Operation.OVERWRITE, **counts.build(), **{OPERATION: self._exchange.name}), head.summary
        )
        return Summary(self._exchange.operation, **told.additional_properties)


def _order(file: DataFile) -> tuple[tuple[bool, int], ...]:
    # Values of day, hour, month and bucket partitions are integers, or null.
    return tuple((value is not None, value or 0) for value in (file.partition[i] for i in range(len(file.partition))))
