"""Airflow DAG `lake_watch`: which of the stream's tables have new rows."""

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAlias, task

from codewave.orchestration.dag import lake_dag, stream_tables, table_asset

NEW_DATA = AssetAlias("new_data")
"""Through it a task can tell of some tables and not of others."""


@lake_dag(schedule="* * * * *", deadline=timedelta(minutes=5), tags=["watch"])
def lake_watch() -> None:
    """Every minute: an asset event for exactly those tables of the stream that have a new snapshot with rows.

    What was seen is the table's last asset event: it carries the snapshot's id. So telling and remembering are one
    step, and a task that dies before it has done neither. Snapshots that only rewrite files (compaction) are no news.
    Derived tables are not watched: their own DAG tells of them, once their quality gate has let the rows pass.
    """
    assets = {table: table_asset(table) for table in stream_tables()}

    @task(inlets=list(assets.values()), outlets=[NEW_DATA])
    def announce(*, inlet_events: Any, outlet_events: Any) -> list[str]:
        from codewave.orchestration.events import seen_snapshot, snapshot_extra
        from codewave.orchestration.lake import open_lake
        from iceberg.newest import news

        lake = open_lake()
        told = []
        for table, asset in assets.items():
            if (found := news(lake, table, seen_snapshot(inlet_events[asset]))) is not None:
                outlet_events[NEW_DATA].add(asset, extra=snapshot_extra(found))
                told.append(table)
        return told

    announce()


lake_watch()
