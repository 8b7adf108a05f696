"""Airflow DAG `freshness`: tables whose newest rows are too old."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import lake_dag


@lake_dag(schedule="*/5 * * * *", deadline=timedelta(minutes=10), tags=["watch"])
def freshness() -> None:
    """Every five minutes: an alert for each table that has become older than `freshness_minutes` of its folder.

    One alert when it becomes stale, one when it is fresh again. What was stale at the last look is this task's result
    of the run before.
    """

    @task
    def check(*, ti: Any) -> list[str]:
        from codewave.orchestration.freshness import tell_changes
        from codewave.orchestration.lake import open_lake

        # Without the index, all results there ever were would come.
        before = ti.xcom_pull(task_ids="check", map_indexes=-1, include_prior_dates=True)
        return tell_changes(open_lake(), before or [])

    check()


freshness()
