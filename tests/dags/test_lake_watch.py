"""The DAG that watches the stream's tables tells of exactly those with new rows, once."""

import pytest
from airflow_lake import DagRunner, LakeOfDags
from example_rooms import chat, typed

pytestmark = pytest.mark.system


def counts(runner: DagRunner) -> dict[str, int]:
    return {table: len(runner.told(table)) for table in ("chat_messages", "document_operations", "record_audit")}


def test_exactly_the_tables_with_new_rows_are_told_of_and_each_snapshot_once(runner: DagRunner, lake: LakeOfDags):
    before = counts(runner)
    lake.take(chat(1, "Hello"))
    assert runner.run("lake_watch").state == "success"
    first = counts(runner)
    assert {table: first[table] - before[table] for table in first} == {
        "chat_messages": 1,
        "document_operations": 0,
        "record_audit": 1,
    }
    newest = lake.catalog.load_table("rooms.chat_messages").current_snapshot()
    assert runner.told("chat_messages")[-1]["snapshot_id"] == str(newest.snapshot_id)
    assert runner.run("lake_watch").state == "success"
    assert counts(runner) == first
    lake.take(*typed("Hi"))
    assert runner.run("lake_watch").state == "success"
    assert {table: count - first[table] for table, count in counts(runner).items()} == {
        "chat_messages": 0,
        "document_operations": 1,
        "record_audit": 1,
    }
