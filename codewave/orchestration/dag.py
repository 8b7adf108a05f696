"""How every DAG of the lake is made: owner, retries, deadline, alerts; and the assets that stand for its tables."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any, Final

from airflow.sdk import (  # type: ignore[attr-defined] # its stub leaves out deadlines
    Asset,
    AsyncCallback,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
    dag,
    task,
)

from codewave.orchestration.alerts import deadline_missed, task_failed
from iceberg.definition import TableDefinition, read_definitions

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Before the first event. Nothing is caught up on its own; `airflow backfill create` goes back to here."""

RETRIES: Final[dict[str, Any]] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
}
"""20, 40 and 80 s: longer than a catalog takes to come back, shorter than an analyst waits for a table."""

DAY: Final = Param(
    None,
    type=["null", "string"],
    format="date",
    description="The day to work on, UTC; nothing for the one the schedule names.",
)

NAMED_BY_TABLE: Final[dict[str, Any]] = {
    "max_active_tis_per_dag": 2,
    "map_index_template": "{{ task.op_kwargs['table'] }}",
}
"""For tasks that are mapped over tables: how many run at once, and what the web page calls them."""


def daily(at: str) -> CronTriggerTimetable:
    """The schedule of a DAG that works on a whole day, after its end.

    :param at: ``HH:MM`` of the next day, UTC. A run's logical date is in the day it works on: so a backfill from A to B
        takes the days from A until before B.
    """
    hour, minute = at.split(":")
    return CronTriggerTimetable(f"{int(minute)} {int(hour)} * * *", timezone="UTC", interval=timedelta(days=1))


def lake_dag(*, deadline: timedelta, tags: list[str], owner: str = "data", **options: Any) -> Callable[..., Any]:
    """Airflow's ``@dag`` with what all DAGs of the lake have in common.

    :param deadline: how long a run may take from when it is queued, waiting for its turn included; then the owner
        gets an alert, once, and the run goes on.
    :param owner: who looks after it.
    :param options: of Airflow's ``@dag``; they win.
    """
    common: dict[str, Any] = {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["codewave", *tags],
        "default_args": {"owner": owner, "on_failure_callback": task_failed, **RETRIES},
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=deadline,
            callback=AsyncCallback(deadline_missed, kwargs={"owner": owner}),
        ),
    }
    return dag(**(common | options))


def choice_of(names: list[str]) -> Param:
    """A run's parameter that says which tables it works on; all of ``names`` unless it is given some."""
    return Param(names, type="array", items={"type": "string", "enum": names}, description="Which tables.")


@task
def chosen_tables(*, params: dict[str, Any]) -> list[str]:
    """The tables that the run's parameter says."""
    return list(params["tables"])


@lru_cache(maxsize=1)
def tables() -> tuple[TableDefinition, ...]:
    """The lake's tables, by name, from their folders: files of this project, nothing is asked."""
    return tuple(read_definitions())


def stream_tables() -> list[str]:
    """Names of the tables that the stream writes."""
    return [table.name for table in tables() if table.written_by == "stream"]


def derived_in_order() -> list[str]:
    """Names of the derived tables, each after those that it reads."""
    sources = {table.name: table.touched_by.keys() for table in tables() if table.derived}
    return [name for name in TopologicalSorter(sources).static_order() if name in sources]


def table_asset(table: str) -> Asset:
    """The asset that stands for a table's rows; an event of it says that there are new ones."""
    # Of any other scheme, Airflow asks all its providers who knows it, and loads them for that.
    return Asset(name=table, uri=f"x-iceberg://lake/{table}")
