"""The DAGs of maintenance, retention, quality, freshness and reliability on real tables."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from airflow_lake import DagRunner, LakeOfDags, states
from example_rooms import chat, small_room

from iceberg.definition import read_definitions

pytestmark = pytest.mark.system

TABLES = [one.name for one in read_definitions()]
STREAM = [one.name for one in read_definitions() if one.written_by == "stream"]


@pytest.mark.parametrize(("dag", "tables"), [("maintain", TABLES), ("retention", TABLES), ("quality", STREAM)])
def test_no_table_is_left_out_unless_a_run_is_told_to(runner: DagRunner, dag: str, tables: list[str]):
    assert runner.folder.dags[dag].params["tables"] == tables


def test_maintenance_takes_each_table_through_its_steps_and_loses_no_row(runner: DagRunner, lake: LakeOfDags):
    for sequence in range(1, 6):
        lake.take(chat(sequence))
    result = runner.run("maintain", tables=["chat_messages", "record_audit", "executions"])
    assert result.succeeded, result.reason
    assert states(result) == {"chosen_tables": ["success"], "maintain_table": ["success"] * 3}
    assert lake.rows("SELECT COUNT(*) FROM chat_messages") == [[5]]


def test_retention_removes_rows_of_the_tables_it_is_given(runner: DagRunner, lake: LakeOfDags):
    """The example room is of January 2026, and both tables keep 180 days."""
    lake.take(*small_room())
    result = runner.run("retention", tables=["chat_messages"])
    assert result.succeeded, result.reason
    assert states(result) == {"chosen_tables": ["success"], "remove_old_rows": ["success"]}
    assert lake.rows("SELECT COUNT(*) FROM chat_messages") == [[0]]
    assert lake.rows("SELECT COUNT(*) > 0 FROM document_operations") == [[True]]


def test_the_gate_looks_at_the_tables_and_keeps_its_verdicts(runner: DagRunner, lake: LakeOfDags):
    lake.take(*small_room())
    result = runner.run("quality", tables=["document_operations", "execution_outcomes"])
    assert result.succeeded, result.reason
    assert states(result) == {"chosen_tables": ["success"], "check": ["success"] * 2}
    judged = lake.rows("SELECT DISTINCT table_name FROM quality_results ORDER BY table_name")
    assert judged == [["document_operations"], ["execution_outcomes"]]


def test_a_table_that_is_not_fresh_is_told_of_once(
    runner: DagRunner, lake: LakeOfDags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lake.take(*small_room())
    assert runner.run("freshness").succeeded
    silent = LakeOfDags(tmp_path / "silent", monkeypatch)
    assert runner.run("freshness").succeeded
    told = {(one.kind, one.subject) for one in silent.alerts()}
    assert told == {("not_fresh", "record_audit"), ("not_fresh", "execution_outcomes")}
    assert runner.run("freshness").succeeded
    assert len(silent.alerts()) == 2


def test_the_report_on_reliability_is_written_and_a_spent_budget_is_told_of(runner: DagRunner, lake: LakeOfDags):
    assert runner.run("reliability_report").succeeded
    report = json.loads((lake.folder / "lake" / "reliability.json").read_bytes())
    assert report["met"]
    assert lake.alerts() == []
    table = lake.catalog.load_table("rooms.pipeline_reliability_hourly")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    lost = {"hour": hour, "events_due": 10, "events_good": 0, "lost": 10, "delayed": 0, "failed": 0}
    table.append(pa.Table.from_pylist([lost], schema=table.schema().as_arrow()))
    assert runner.run("reliability_report").succeeded
    (alert,) = lake.alerts()
    assert alert.kind == "error_budget"
    assert alert.message.startswith("the objective of 99.95% is missed: 60.0 of 21.6 minutes are spent")
