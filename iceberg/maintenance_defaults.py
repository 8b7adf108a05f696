"""Ages and counts that maintenance goes by, unless it is told otherwise."""

from typing import Final

COMPACT_AT_LEAST: Final = 5
"""Small files of a partition; fewer are not worth a rewrite."""
SORT_MEMORY_MB: Final = 512
"""What compaction's sort may hold in memory; what does not fit is spilled to disk."""

MANIFESTS_AT_LEAST: Final = 10
"""Small manifests of a table; fewer are not worth a commit."""

SNAPSHOT_DAYS: Final = 3.0
"""How long a snapshot is kept: longer than any query runs, and than derived tables may lag behind their sources. What
retention or an erasure took out of a table is on disk as long."""
NEWEST_SNAPSHOTS: Final = 10
"""Kept of each branch whatever their age."""
JOB_DAYS: Final = 7.0
"""How far back a Flink job may be resumed from a saved state."""

ORPHAN_DAYS: Final = 3.0
"""Far longer than any commit, and than a compaction, takes."""
ORPHAN_SAFE_DAYS: Final = 1.0
"""Less is refused: such files may belong to a commit that is under way."""
