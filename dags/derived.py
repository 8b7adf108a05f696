"""Airflow DAGs `derive_<table>`, one for each table folder with a `query.sql`."""

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, task

from codewave.orchestration.dag import lake_dag, table_asset, tables
from iceberg.definition import TableDefinition

ABOUT = """Derives `{name}`: {description}

Starts when one of {sources} has new rows. Each interval that they touch is replaced in one commit, in a task of its own
(many intervals share tasks); a run may be repeated and gives the same rows. What was read is marked only after all
intervals are committed: a run that died before is made good by the next one. Then the quality gate looks at the new
rows, and only if it lets them pass are the tables told that read them.
"""


@task
def find_touched(table: str, *, ti: Any) -> list[Any]:
    """The intervals that the sources' new rows touch, in batches; beside them the snapshots up to which that is all."""
    import msgspec

    from codewave.orchestration.derivation import batches
    from codewave.orchestration.lake import open_lake
    from iceberg.derive import touched_intervals

    touched = touched_intervals(open_lake(), table)
    ti.xcom_push("through", touched.through)
    return list(msgspec.to_builtins(batches(touched.intervals)))


@task(max_active_tis_per_dagrun=2)
def derive_intervals(table: str, intervals: list[Any]) -> list[Any]:
    """Replace the rows of these intervals; returns those that have other rows now."""
    import msgspec

    from codewave.orchestration.derivation import as_intervals, derive_each
    from codewave.orchestration.work import work

    batch = as_intervals(intervals)
    with work(f"derive {table}", outputs=[table], interval=(batch[0].start, batch[-1].end)) as lake:
        return list(msgspec.to_builtins(derive_each(lake, table, batch).changed))


@task(trigger_rule="none_failed")
def mark(table: str, through: dict[str, int]) -> None:
    """Remember what was read; also when it touched nothing."""
    from codewave.orchestration.lake import open_lake
    from iceberg.derive import mark_derived

    mark_derived(open_lake(), table, through)


@task
def gate(table: str, changed: Any) -> None:
    """Let the new rows pass or not; only if they pass does this task tell that the table has new rows."""
    from airflow.sdk.exceptions import AirflowSkipException

    from codewave.orchestration.derivation import as_intervals
    from codewave.orchestration.gate import check_intervals
    from codewave.orchestration.work import work

    intervals = as_intervals(interval for batch in changed for interval in batch)
    if not intervals:
        raise AirflowSkipException("every interval has the rows that it had")
    with work(f"check {table}", inputs=[table], outputs=["quality_results", "quality_failures"]) as lake:
        check_intervals(lake, table, intervals)


def make_dag(table: TableDefinition) -> None:
    """Make the DAG of one derived table."""
    sources = list(table.touched_by)

    @lake_dag(
        dag_id=f"derive_{table.name}",
        schedule=AssetAny(*map(table_asset, sources)),
        deadline=timedelta(minutes=5),
        owner=table.owner,
        tags=["derived"],
        doc_md=ABOUT.format(name=table.name, description=table.description, sources=", ".join(sources)),
    )
    def derive_table() -> None:
        found = find_touched(table.name)
        changed = derive_intervals.partial(table=table.name).expand(intervals=found)
        marked = mark(table.name, found["through"])
        checked = gate.override(outlets=[table_asset(table.name)])(table.name, changed)
        changed >> marked >> checked

    derive_table()


for definition in tables():
    if definition.derived:
        make_dag(definition)
