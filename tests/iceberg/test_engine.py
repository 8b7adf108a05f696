"""Queries over the lake: Athena's dialect, one snapshot a table, and nothing but reading."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from example_lake import NAMESPACE, ExampleLake
from example_rooms import START_MS, chat, edit, small_room, typed

from codewave.errors import WrongUseError
from iceberg.athena import translate
from iceberg.engine import DuckDbEngine


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> ExampleLake:
    lake = ExampleLake(tmp_path_factory.mktemp("lake"))
    lake.take(*typed("Hé"), chat(1, "Hello"))
    return lake


@pytest.fixture(scope="module")
def engine(lake: ExampleLake) -> DuckDbEngine:
    return lake.engine()


def rows(engine: DuckDbEngine, sql: str) -> list[list[object]]:
    return engine.query(sql).rows


def test_rows_come_back_as_plain_values_with_times_in_utc(engine: DuckDbEngine) -> None:
    result = engine.query("SELECT text, late, sequence, received_at FROM chat_messages")
    ((text, late, sequence, received_at),) = result.rows
    assert result.columns == ["text", "late", "sequence", "received_at"]
    assert (text, late, sequence) == ("Hello", False, 1)
    assert abs(received_at - datetime.fromtimestamp(START_MS / 1000, tz=UTC)).total_seconds() < 60


def test_a_nested_list_of_structs_is_read(engine: DuckDbEngine) -> None:
    sql = "SELECT patches[1].inserted, cardinality(patches) FROM document_operations ORDER BY sequence"
    assert rows(engine, sql) == [["H", 1], ["é", 1]]


def test_an_array_of_rows_is_unnested_into_its_fields_as_athena_does(engine: DuckDbEngine) -> None:
    sql = """
        SELECT t.type, SUM(t.received), SUM(t.stored) FROM record_audit
        CROSS JOIN UNNEST(by_type) AS t (type, hour, received, stored, duplicate, quarantined, pending, released)
        GROUP BY t.type ORDER BY t.type
    """
    assert rows(engine, sql) == [["chat.posted", 1, 1], ["document.edited", 2, 2]]


def test_a_table_without_a_snapshot_is_empty(engine: DuckDbEngine) -> None:
    assert rows(engine, "SELECT COUNT(*), SUM(waited_ms) FROM sequence_gaps") == [[0, None]]


def test_sums_of_integers_are_integers(engine: DuckDbEngine) -> None:
    ((total,),) = rows(engine, "SELECT SUM(sequence) FROM document_operations")
    assert type(total) is int
    assert total == 3


def test_rows_committed_after_a_query_are_in_the_next_one(tmp_path: Path) -> None:
    lake = ExampleLake(tmp_path)
    engine = lake.engine()
    counted = "SELECT COUNT(*) FROM document_operations"
    lake.take(edit(1, "a"))
    assert rows(engine, counted) == [[1]]
    lake.take(edit(2, "b"))
    assert rows(engine, counted) == [[2]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM rooms.chat_messages",
        'SELECT COUNT(*) FROM "AwsDataCatalog"."rooms"."chat_messages"',
        "SELECT COUNT(*) FROM CHAT_MESSAGES;",
        "SELECT COUNT(chat_messages.text) FROM chat_messages",
        "WITH chat_messages AS (SELECT event_id FROM chat_messages) SELECT COUNT(*) FROM chat_messages",
        "SELECT COUNT_IF(NOT late) FROM chat_messages WHERE received_at > TIMESTAMP '2025-01-01 00:00:00 UTC'",
        "SELECT COUNT(*) FROM chat_messages WHERE received_at < current_timestamp - INTERVAL '1' DAY",
        "SELECT 1 FROM chat_messages UNION SELECT 1 FROM sequence_gaps",
        "SELECT MAX(n) FROM UNNEST(ARRAY[1, 1]) AS t (n)",
    ],
)
def test_athenas_ways_to_say_it_work(engine: DuckDbEngine, sql: str) -> None:
    assert rows(engine, sql) == [[1]]


def test_show_tables_and_describe_answer_from_the_catalog(engine: DuckDbEngine) -> None:
    assert ["chat_messages"] in rows(engine, "SHOW TABLES")
    described = rows(engine, "DESCRIBE chat_messages")
    assert described[0][:2] == ["event_id", "string"]
    assert ["text", "string", "The message."] in described


def test_an_unknown_table_is_answered_with_the_known_ones(engine: DuckDbEngine) -> None:
    with pytest.raises(WrongUseError, match="no table 'chats' in rooms; its tables: billing_seals, chat_mess"):
        engine.query("SELECT * FROM chats")


def test_an_unknown_namespace_is_named(engine: DuckDbEngine) -> None:
    with pytest.raises(WrongUseError, match="no namespace 'nowhere'"):
        engine.query("SELECT * FROM nowhere.chat_messages")


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DELETE FROM chat_messages",
        "INSERT INTO chat_messages SELECT * FROM chat_messages",
        "CREATE TABLE copy AS SELECT 1 AS a",
        "DROP TABLE chat_messages",
        "SELECT 1; SELECT 2",
        "SELECT 1 INTO copy",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SET memory_limit = '1TB'",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM TABLE(read_text('/etc/passwd'))",
        "SELECT * FROM (SELECT * FROM glob('/*')) AS t",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM iceberg_scan('/tmp')",
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM duckdb_settings()",
        "SELEC 1",
        "SELECT nothing FROM chat_messages",
    ],
)
def test_everything_but_reading_the_lakes_tables_is_refused(engine: DuckDbEngine, sql: str) -> None:
    with pytest.raises(WrongUseError, match="query: "):
        engine.query(sql)


def test_duckdb_itself_can_read_nothing_outside_the_warehouse(lake: ExampleLake, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(Exception, match="Permission Error"):
        lake.engine()._connection.sql(f"FROM read_csv('{secret}')")


def test_a_statement_has_a_largest_length() -> None:
    with pytest.raises(WrongUseError, match="at most"):
        translate("SELECT 1 " + " " * 200_000 + "AS a", NAMESPACE)


def test_every_table_of_a_room_can_be_read_whole(tmp_path: Path) -> None:
    lake = ExampleLake(tmp_path)
    lake.take(*small_room())
    engine = lake.engine()
    for (name,) in rows(engine, "SHOW TABLES"):
        engine.query(f"SELECT * FROM {name}")
    assert rows(engine, "SELECT COUNT(*) FROM execution_outcomes") == [[1]]
