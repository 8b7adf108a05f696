"""What the benchmark's Flink jobs have in common: their arguments, and the environment that they are laid out in."""

import argparse
from pathlib import Path
from typing import NamedTuple

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_jobs.room_events.main import configuration_of
from flink_jobs.room_events.settings import Settings, read_settings
from flink_jobs.room_events.statements import Statements
from flink_jobs.room_events.topology import SQL


class Submission(NamedTuple):
    """A job before it is laid out."""

    name: str
    settings: Settings
    folders: list[Path]
    """Of statements, before the stream's own."""
    endless: bool
    """Whether the sources wait for more at their end; where they are SQL, its folders of statements see to that."""
    env: StreamExecutionEnvironment
    tables: StreamTableEnvironment
    statements: Statements


def begin() -> Submission:
    """Read what the job is told: the arguments of ``flink_jobs/room_events/main.py``, and folders of statements."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--properties", type=Path, required=True)
    arguments.add_argument("--job-name", required=True)
    arguments.add_argument("--sql", type=Path, action="append", default=[], help="folder of statements; the first wins")
    arguments.add_argument("--endless", action="store_true", help="sources wait for more at their end")
    given = arguments.parse_args()
    settings = read_settings(given.properties)
    env = StreamExecutionEnvironment.get_execution_environment(configuration_of(settings))
    tables = StreamTableEnvironment.create(env)
    # Else a large recorded stream is read by more subtasks than the job has slots.
    tables.get_config().set("table.exec.iceberg.infer-source-parallelism", "false")
    statements = Statements(env, tables, settings, [*given.sql, SQL])
    return Submission(given.job_name, settings, given.sql, given.endless, env, tables, statements)


def insert_deduplicated(job: Submission) -> None:
    """Submit one job of all INSERTs that read ``deduplicated``: one statement set, so that what they read is shared."""
    job.tables.get_config().set("pipeline.name", job.name)
    # Else every INSERT gets a deduplication of its own, over the columns that it reads.
    job.tables.get_config().set("table.optimizer.reuse-optimize-block-with-digest-enabled", "true")
    job.statements.declare("source/catalog.sql")
    inserts = job.tables.create_statement_set()
    for sink in job.settings.sinks.split(","):
        found = [file for folder in job.folders for file in (folder / sink).glob("insert_*.sql")]
        for insert in sorted({file.name for file in found}):
            create = insert.replace("insert_", "create_")
            if any((folder / sink / create).exists() for folder in [*job.folders, SQL]):
                job.statements.declare(f"{sink}/{create}")
            inserts.add_insert_sql(job.statements.read(f"{sink}/{insert}"))
    inserts.execute()
