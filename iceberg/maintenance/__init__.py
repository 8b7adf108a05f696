"""Care of the lake's tables: few large sorted files, few manifests, a short history, and nothing kept for too long.

Every function takes the lake and a table's name, may die at any point and run again, runs beside the stream's commits,
and with ``dry_run`` only says what it would do.
"""

from iceberg.maintenance.compaction import compact
from iceberg.maintenance.expiry import expire_snapshots
from iceberg.maintenance.manifests import rewrite_manifests
from iceberg.maintenance.orphans import remove_orphans
from iceberg.maintenance.retention import apply_retention

__all__ = ["apply_retention", "compact", "expire_snapshots", "remove_orphans", "rewrite_manifests"]
