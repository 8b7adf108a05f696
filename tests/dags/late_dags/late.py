"""A DAG that never ends in time: its one task waits for a file that nobody makes."""

from datetime import timedelta

from airflow.sdk import task

from codewave.orchestration.dag import lake_dag


@lake_dag(schedule=None, deadline=timedelta(seconds=2), tags=["late"], owner="somebody")
def late() -> None:
    """Waits for two minutes."""

    @task(retries=0)
    def wait() -> None:
        import time

        time.sleep(120)

    wait()


late()
