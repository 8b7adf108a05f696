"""Airflow DAG `maintain`: small files, manifests, old snapshots and orphans of every table."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import NAMED_BY_TABLE, choice_of, chosen_tables, lake_dag, tables


@lake_dag(
    schedule="15 */6 * * *",
    deadline=timedelta(hours=2),
    tags=["maintenance"],
    owner="platform",
    params={"tables": choice_of([one.name for one in tables()])},
)
def maintain() -> None:
    """Every six hours, table by table: compact small files, rewrite manifests, expire snapshots, remove orphans.

    A task takes one table through all four: starting a task costs more than most of them. Each step commits on its own
    or not at all, beside running writers, and finds nothing to do where it has been done: run it again as you like.
    """

    @task(**NAMED_BY_TABLE)
    def maintain_table(table: str) -> Any:
        from codewave.orchestration.work import plain, work
        from iceberg.maintenance import compact, expire_snapshots, remove_orphans, rewrite_manifests

        with work(f"maintain {table}", inputs=[table], outputs=[table]) as lake:
            steps = (compact, rewrite_manifests, expire_snapshots, remove_orphans)
            return {step.__name__: plain(step(lake, table)) for step in steps}

    maintain_table.expand(table=chosen_tables())


maintain()
