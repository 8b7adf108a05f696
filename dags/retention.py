"""Airflow DAG `retention`: rows that are older than their table's folder allows."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import NAMED_BY_TABLE, choice_of, chosen_tables, daily, lake_dag, tables


@lake_dag(
    schedule=daily("05:00"),
    deadline=timedelta(hours=2),
    tags=["maintenance"],
    owner="platform",
    params={"tables": choice_of([one.name for one in tables()])},
)
def retention() -> None:
    """Every day, table by table: remove the rows that are older than `retention_days`."""

    @task(**NAMED_BY_TABLE)
    def remove_old_rows(table: str) -> Any:
        from codewave.orchestration.work import plain, work
        from iceberg.maintenance import apply_retention

        with work(f"retention of {table}", inputs=[table], outputs=[table]) as lake:
            return plain(apply_retention(lake, table))

    remove_old_rows.expand(table=chosen_tables())


retention()
