"""Airflow DAG `billing_close`: billing days are reconciled and sealed."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import DAY, daily, lake_dag, table_asset


@lake_dag(schedule=daily("06:00"), deadline=timedelta(hours=2), tags=["billing"], owner="billing", params={"day": DAY})
def billing_close() -> None:
    """Every morning: seal the day that ended, and before it each earlier one that is still open.

    A day is sealed only if all its counts close: events against outcomes, outcomes against the ledger, the ledger
    against usage. Else this fails with the reasons, and so does the next morning's run until they are put right. What
    is learned about a sealed day later is booked on the first open one.
    """

    @task
    def reconcile(*, params: dict[str, Any], dag_run: Any) -> list[str]:
        from airflow.sdk.exceptions import AirflowSkipException

        from codewave.orchestration import billing
        from codewave.orchestration.days import run_day
        from codewave.orchestration.work import work
        from iceberg.billing.checks import SOURCES

        with work("reconcile billing", inputs=SOURCES) as lake:
            days = billing.open_days(lake, run_day(params, dag_run))
            if not days:
                raise AirflowSkipException("no open day up to then has anything to bill, or all are sealed")
            billing.reconcile(lake, days[0])
        return [day.isoformat() for day in days]

    @task(outlets=[table_asset("billing_seals")])
    def close(days: list[str]) -> Any:
        from datetime import date

        from codewave.orchestration.billing import close_days
        from codewave.orchestration.work import plain, work

        with work("billing close", outputs=["billing_seals"]) as lake:
            return plain(close_days(lake, [date.fromisoformat(day) for day in days]))

    close(reconcile())


billing_close()
