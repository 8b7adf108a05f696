"""Airflow DAG `reliability_report`: availability against its objective."""

from datetime import timedelta
from typing import Any

from airflow.sdk import task

from codewave.orchestration.dag import daily, lake_dag


@lake_dag(schedule=daily("06:30"), deadline=timedelta(hours=1), tags=["reliability"], owner="platform")
def reliability_report() -> None:
    """Every morning: availability over 30 days against 99.95 %, and what is left of the error budget.

    The report is the task's result and `reliability.json` in the lake's folder of state. An alert, where the budget is
    spent or goes too fast.
    """

    @task
    def make_report() -> Any:
        from codewave.orchestration.reliability import report
        from codewave.orchestration.work import plain, work

        with work("report reliability", inputs=["pipeline_reliability_hourly"]) as lake:
            return plain(report(lake))

    make_report()


reliability_report()
