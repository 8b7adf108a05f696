"""Airflow DAG `quality`: the quality gate over the tables that the stream writes."""

from datetime import timedelta

from airflow.sdk import task

from codewave.orchestration.dag import NAMED_BY_TABLE, choice_of, chosen_tables, daily, lake_dag, stream_tables


@lake_dag(
    schedule=daily("04:30"),
    deadline=timedelta(hours=1),
    tags=["quality"],
    params={"tables": choice_of(stream_tables())},
)
def quality() -> None:
    """Every day: the expectations of each of the stream's tables, on what came since they last held.

    Derived tables are looked at by their own DAG, each time they change.
    """

    @task(**NAMED_BY_TABLE)
    def check(table: str) -> int:
        from codewave.orchestration.work import work
        from iceberg.quality.gate import run_gate

        with work(f"check {table}", inputs=[table], outputs=["quality_results", "quality_failures"]) as lake:
            return run_gate(lake, table).rows

    check.expand(table=chosen_tables())


quality()
