"""Merges a table's small manifests: each commit of the stream adds one, and a query opens them all to plan."""

from typing import Final

from msgspec import Struct
from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from iceberg.lake import Lake
from iceberg.maintenance.exchange import Exchange, commit_exchange
from iceberg.maintenance_defaults import MANIFESTS_AT_LEAST

REWRITE_MANIFESTS: Final = "rewrite-manifests"

_SIZE: Final = "commit.manifest.target-size-bytes"
_SIZE_BYTES: Final = 8 * 1024 * 1024  # Iceberg's default of that property
_SMALL: Final = 0.5
"""Of the target size: two of them fit into one."""


class ManifestsRewritten(Struct, frozen=True):
    """What was done to a table's manifests."""

    table: str
    manifests_before: int
    manifests_after: int
    snapshot_id: int | None
    """None where nothing was worth it, or in a dry run."""
    dry_run: bool


def rewrite_manifests(
    lake: Lake, table: str, *, at_least: int = MANIFESTS_AT_LEAST, dry_run: bool = False
) -> ManifestsRewritten:
    """Merge the manifests that are smaller than half of ``commit.manifest.target-size-bytes``; no row is read.

    :param at_least: how many small ones there must be.
    :returns: counts before and after; in a dry run the count after is that of the large ones plus one.
    :raises CodewaveError: where the table does not exist, or other commits come first every time.
    """
    handle = lake.load(table)
    head = handle.current_snapshot()
    manifests = head.manifests(handle.io) if head else []
    small = {one.manifest_path for one in manifests if _is_small(handle, one)}
    if len(small) < at_least:
        return ManifestsRewritten(table, len(manifests), len(manifests), None, dry_run)
    if dry_run:
        return ManifestsRewritten(table, len(manifests), len(manifests) - len(small) + 1, None, dry_run)
    others = frozenset(one.manifest_path for one in manifests) - small
    done = commit_exchange(
        handle,
        Exchange(
            Operation.REPLACE, REWRITE_MANIFESTS, merge=lambda one: one.manifest_path in small, passed_over=others
        ),
    )
    return ManifestsRewritten(table, done.manifests_before, done.manifests_after, done.snapshot_id, dry_run)


def _is_small(table: Table, manifest: ManifestFile) -> bool:
    limit = int(table.properties.get(_SIZE, _SIZE_BYTES))
    return manifest.content == ManifestContent.DATA and manifest.manifest_length < _SMALL * limit
