"""Which snapshots of a table are kept.

A branch is kept from its head back to one place, without holes. Iceberg's Flink sink, and the check that no checkpoint
is committed twice (docs/decisions/0014), walk from the head from parent to parent until they meet the job's last
commit: where a snapshot in between is missing they stop, take everything for uncommitted and store it again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot

_JOB: Final = "flink.job-id"
_OPERATOR: Final = "flink.operator-id"
_CHECKPOINT: Final = "flink.max-committed-checkpoint-id"
"""Written by Iceberg's ``SinkUtil`` into the snapshots of its Flink sink."""


class Bounds(Struct, frozen=True):
    """What is kept at least."""

    since: datetime
    """Every snapshot made since then."""
    newest: int
    """That many of each branch."""
    jobs_since: datetime
    """The last commit of each job and operator that committed since then; the last of all of them in any case."""


def kept_snapshots(metadata: TableMetadata, bounds: Bounds) -> set[int]:
    """Ids of the snapshots that have to stay."""
    by_id = {one.snapshot_id: one for one in metadata.snapshots}
    kept = {one.snapshot_id for one in metadata.snapshots if _is_since(one, bounds.since)}
    for ref in metadata.refs.values():
        kept.add(ref.snapshot_id)
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH:
            history = list(_history(by_id, ref.snapshot_id))
            kept |= {one.snapshot_id for one in history[: _needed(history, bounds)]}
    # Where a history has a hole already, the walk above may not have come as far.
    if last := last_of_flink(metadata):
        kept.add(last.snapshot_id)
    return kept


def last_of_flink(metadata: TableMetadata) -> Snapshot | None:
    """The newest snapshot that a Flink job committed; none where no job ever did."""
    return max((one for one in metadata.snapshots if _writer(one)), key=lambda one: one.timestamp_ms, default=None)


def _history(by_id: dict[int, Snapshot], head: int) -> Iterator[Snapshot]:
    snapshot = by_id.get(head)
    while snapshot is not None:
        yield snapshot
        snapshot = by_id.get(snapshot.parent_snapshot_id or 0)


def _needed(history: list[Snapshot], bounds: Bounds) -> int:
    """How many snapshots of a branch have to stay, from its head back."""
    needed = bounds.newest
    writers: set[tuple[str, str | None]] = set()
    for number, snapshot in enumerate(history, 1):
        if _is_since(snapshot, bounds.since):
            needed = max(needed, number)
        writer = _writer(snapshot)
        if writer is not None and writer not in writers:
            if not writers or _is_since(snapshot, bounds.jobs_since):
                needed = max(needed, number)
            writers.add(writer)
    return needed


def _writer(snapshot: Snapshot) -> tuple[str, str | None] | None:
    """Job and operator that committed it; none for a snapshot that Flink did not make."""
    told = snapshot.summary.additional_properties if snapshot.summary else {}
    if _JOB not in told or _CHECKPOINT not in told:
        return None
    return told[_JOB], told.get(_OPERATOR)


def _is_since(snapshot: Snapshot, moment: datetime) -> bool:
    return snapshot.timestamp_ms >= moment.timestamp() * 1000
