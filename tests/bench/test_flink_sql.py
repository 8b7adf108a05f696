"""The statements of the Flink contenders: the same tables and columns as the pipeline's own."""

import re
from pathlib import Path

import pytest

import bench.flink
import flink_jobs.room_events
from bench.flink_contenders import OURS, PER_EVENT, plain_tables
from bench.flink_contenders import SQL as SQL_WAY
from bench.flink_watch import EVENT_TABLES
from codewave.contract.events import EVENT_TYPES
from iceberg.schema import iceberg_schema
from udfs.route import ROUTES
from udfs.rows import LAKE_OUTPUTS, OUTPUTS
from udfs.rowtype import columns

SQL = Path(bench.flink.__file__).parent / "sql"
STREAMS_SQL = Path(flink_jobs.room_events.__file__).parent / "sql"
INDEX_OUTPUTS = {"chat": "chat_messages", "execution_logs": "execution_logs", "executions": "executions"}
PLAIN = {"patches": "STRING"}
"""Columns that plain SQL keeps in another type."""


def statement(path: str) -> str:
    return "\n".join(line for line in (SQL / path).read_text().splitlines() if not line.startswith("--"))


def declared(sql: str) -> dict[str, str]:
    body = sql[sql.index("(\n") + 2 : sql.index("\n) WITH")]
    flat = re.sub(r"\n    |\n  (?=>)", " ", body).replace("< ", "<").replace(" >", ">")
    return dict(re.findall(r"^  `(\w+)` (.*?),?$", flat, re.MULTILINE))


def selected(sql: str) -> list[str]:
    body = sql[sql.index("SELECT\n") : sql.index("\nFROM ")]
    return [line.rstrip(",").rsplit("`", 2)[1] for line in body.splitlines()[1:]]


@pytest.mark.parametrize("table", sorted(LAKE_OUTPUTS))
def test_a_discarding_table_has_the_columns_of_its_output(table: str):
    assert declared(statement(f"discarded/lake/create_{table}.sql")) == columns(OUTPUTS[table])


def test_a_plain_discarding_table_differs_in_the_patches_alone():
    created = declared(statement("plain_discarded/lake/create_document_operations.sql"))
    assert created == columns(OUTPUTS["document_operations"]) | PLAIN


@pytest.mark.parametrize("table", EVENT_TABLES)
def test_plain_sql_fills_every_column_of_a_table_of_events(table: str):
    assert selected(statement(f"plain/lake/insert_{table}.sql")) == list(columns(OUTPUTS[table]))


@pytest.mark.parametrize("index", sorted(INDEX_OUTPUTS))
def test_plain_sql_fills_every_column_of_an_index(index: str):
    assert selected(statement(f"plain/search/insert_{index}.sql")) == list(columns(OUTPUTS[INDEX_OUTPUTS[index]]))
    assert (STREAMS_SQL / "search" / f"create_{index}.sql").exists()


def test_plain_sql_routes_every_event_type_as_the_stream_does():
    routed = {}
    for table in EVENT_TABLES:
        condition = statement(f"plain/lake/insert_{table}.sql").partition("\nWHERE ")[2]
        routed |= dict.fromkeys(re.findall(r"'([a-z]+\.[a-z]+)'", condition), table)
    assert routed == {kind: ROUTES[kind][0] for kind in EVENT_TYPES}


def test_the_lakes_tables_for_plain_sql_have_the_columns_that_it_fills():
    assert {table.name for table in plain_tables()} == set(EVENT_TABLES)
    for table in plain_tables():
        assert [field.name for field in iceberg_schema(table).fields] == list(columns(OUTPUTS[table.name]))


def test_what_an_endless_source_gives_is_what_the_other_gives():
    records, endless = (
        re.sub(r"\s*/\*.*?\*/", "", statement(f"{folder}/source/records.sql")).strip()
        for folder in ("recorded", "endless")
    )
    assert endless == records
    events = statement("endless/source/events.sql").replace("WITH ('source.monitor-interval' = '1 h') ", "")
    assert events.strip() == statement("plain/source/events.sql").strip()


def test_statements_for_discarding_sinks_come_before_those_that_they_replace():
    for way in (OURS, SQL_WAY, PER_EVENT):
        folders = [SQL / name for name in (*way.discarding, *way.statements)]
        source = "records.sql" if way.takes_records else "events.sql"
        assert next(folder.name for folder in folders if (folder / "source" / source).exists()) == "endless"
