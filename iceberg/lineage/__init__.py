"""Where the lake's data comes from and goes to: the graph of tables and columns, and OpenLineage events of each run."""

from iceberg.lineage.runs import run

__all__ = ["run"]
