"""Airflow DAG `rederive`: the derived tables of a past day, again."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import DAY, choice_of, daily, derived_in_order, lake_dag


@lake_dag(
    schedule=daily("03:30"),
    deadline=timedelta(hours=1),
    tags=["backfill"],
    params={"day": DAY, "tables": choice_of(derived_in_order())},
)
def rederive() -> None:
    """Every night: each derived table of the day that ended, from nothing, in the order of their sources.

    It should change nothing, as the rows are those that came interval by interval during the day; each task's result
    says what it changed. Past days: `airflow backfill create --dag-id rederive --from-date A --to-date B`, for the days
    from A until before B. Days that are sealed are left as they are.
    """

    @task(trigger_rule="none_failed")
    def derive_again(table: str, *, params: dict[str, Any], dag_run: Any) -> dict[str, int]:
        from airflow.sdk.exceptions import AirflowSkipException

        from codewave.orchestration.days import run_day
        from codewave.orchestration.derivation import derive_day
        from codewave.orchestration.work import work

        if table not in params["tables"]:
            raise AirflowSkipException("not asked for")
        with work(f"derive {table}", outputs=[table]) as lake:
            done = derive_day(lake, table, run_day(params, dag_run))
        return {"changed": len(done.changed), "same": done.same, "kept": done.kept}

    before = None
    for name in derived_in_order():
        again = derive_again.override(task_id=name)(name)
        if before is not None:
            before >> again
        before = again


rederive()
