"""What the Flink job reads and writes, from its SQL files: the stream, the operator's outputs, tables and indices."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlglot
from sqlglot import exp

from codewave.errors import CodewaveError
from iceberg.definition import TABLES_FOLDER
from iceberg.lineage.columns import ColumnEdge, Field, column_edges
from iceberg.lineage.graph import Dataset, Job

JOB: Final = "room_events"
STREAM: Final = Dataset("records", "stream")
"""The Kinesis stream, under the name by which the job's SQL knows it."""
STREAM_COLUMNS: Final = ("data", "shard_id", "sequence_number", "arrived_at")

_SQL: Final = TABLES_FOLDER.parent / "flink_jobs" / "room_events" / "sql"
_SINKS: Final = ("raw", "lake", "search")
_ARCHIVED: Final = "archived"
"""The records as they came; every other view that is read is an output of the Python operator."""
_INDEX: Final = re.compile(r"'index' = '\$\{index_prefix\}([^'{]+)(\{[^']*\})?'")
_TABLE: Final = re.compile(r"CREATE TEMPORARY TABLE (\w+)")
# sqlglot has no Flink dialect; Spark's takes these statements, all but Flink's name of a struct.
_DIALECT: Final = "spark"
_STRUCT: Final = re.compile(r"\bROW\s*<")


def stream_jobs(folder: Path = _SQL) -> tuple[Job, ...]:
    """One job for each kind of sink that the Flink job may write; together or apart, as they are started.

    :param folder: of the job's SQL.
    """
    indices = dict(_indices(folder))
    return tuple(_job(sink, folder / sink, indices) for sink in _SINKS)


def stream_job(sinks: str, folder: Path = _SQL) -> Job:
    """The job as it is started with ``sinks`` (any of raw, lake, search, separated by commas)."""
    wanted = {f"{JOB} {sink}" for sink in sinks.split(",")}
    parts = [job for job in stream_jobs(folder) if job.name in wanted]
    return Job(
        name=JOB,
        inputs=(STREAM,),
        outputs=tuple(output for job in parts for output in job.outputs),
        columns=tuple(edge for job in parts for edge in job.columns),
    )


def _job(sink: str, folder: Path, indices: dict[str, str]) -> Job:
    outputs: list[Dataset] = []
    columns: list[ColumnEdge] = []
    for file in sorted(folder.glob("insert_*.sql")):
        insert = _parse(file)
        name = insert.this.find(exp.Table).name
        output = Dataset(f"{indices[name]}", "index") if name in indices else Dataset(name, "table")
        outputs.append(output)
        columns += _edges(output.name, insert.expression)
    operator = "" if sink == "raw" else "RoomEvents (Python)"
    return Job(
        name=f"{JOB} {sink}", inputs=(STREAM,), outputs=tuple(outputs), columns=tuple(columns), operator=operator
    )


def _parse(file: Path) -> exp.Insert:
    text = _STRUCT.sub("STRUCT<", file.read_text(encoding="utf-8")).replace("$namespace", "namespace")
    statement = sqlglot.parse_one(text, read=_DIALECT)
    if not isinstance(statement, exp.Insert):
        raise CodewaveError(f"lineage: {file.name}: not an INSERT; the job's SQL has one for each table and index")
    return statement


def _edges(output: str, select: exp.Query) -> Iterator[ColumnEdge]:
    view = select.find(exp.Table)
    if view is None:
        return
    names = STREAM_COLUMNS if view.name == _ARCHIVED else tuple({column.name for column in select.find_all(exp.Column)})
    schema = {view.name: dict.fromkeys(names, "STRING")}
    for edge in column_edges(output, select.sql(_DIALECT), schema, _DIALECT):
        if view.name == _ARCHIVED:
            yield ColumnEdge(Field(STREAM.name, edge.source.column), edge.target, edge.how)
        else:
            # The operator takes a record's position as it comes, and everything else out of its bytes.
            origin = edge.target.column if edge.target.column in STREAM_COLUMNS else "data"
            yield ColumnEdge(Field(STREAM.name, origin), edge.target, "decoded")


def _indices(folder: Path) -> Iterator[tuple[str, str]]:
    """Tables of the job's SQL that are indices, with the indices' names; daily ones end in ``*``."""
    for file in sorted((folder / "search").glob("create_*.sql")):
        text = file.read_text(encoding="utf-8")
        table, index = _TABLE.search(text), _INDEX.search(text)
        if table and index:
            yield table[1], f"{index[1]}*" if index[2] else index[1]
