"""What is true of every DAG of the folder."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from airflow_lake import DagRunner

from codewave.local.airflow import DAGS_FOLDER
from iceberg.athena import source_tables
from iceberg.definition import TableDefinition, read_definitions

DERIVED = [one for one in read_definitions() if one.derived]
LIGHT = {"datetime", "typing", "itertools", "airflow.sdk", "codewave.orchestration.dag", "iceberg.definition"}
HEAVY = ("duckdb", "pyiceberg", "great_expectations", "pandas", "pyarrow", "boto3", "sqlglot")

IMPORT_ALL = """
import json, runpy, sys, time
import airflow.sdk
before, begin = set(sys.modules), time.perf_counter()
for file in sys.argv[1:]:
    runpy.run_path(file)
print(json.dumps({"seconds": time.perf_counter() - begin, "modules": sorted(set(sys.modules) - before)}))
"""


def dag_files() -> list[Path]:
    return sorted(DAGS_FOLDER.glob("*.py"))


@pytest.mark.system
@pytest.mark.usefixtures("airflow_settings")
def test_reading_the_folder_imports_nothing_heavy_and_opens_no_connection(capsys: pytest.CaptureFixture[str]):
    begin = time.perf_counter()
    command = [sys.executable, "-c", IMPORT_ALL, *map(str, dag_files())]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    answer = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        whole = time.perf_counter() - begin
        print(f"\nDAG folder: {answer['seconds']:.2f} s beside Airflow itself; with it {whole:.1f} s")
    assert [name for name in answer["modules"] if name.split(".")[0] in HEAVY] == []


@pytest.mark.parametrize("file", dag_files(), ids=lambda file: file.stem)
def test_a_dag_file_does_nothing_but_define(file: Path):
    """At the top: imports, definitions, calls of what is defined there. What works is imported inside a task."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {getattr(node, "module", None) or node.names[0].name for node in top}
    assert modules <= {
        "datetime",
        "typing",
        "itertools",
        "airflow.sdk",
        "codewave.orchestration.dag",
        "iceberg.definition",
    }
    assert not any(isinstance(node, (ast.With, ast.Try, ast.While)) for node in tree.body)


@pytest.mark.system
def test_every_dag_says_what_it_does_whose_it_is_and_by_when(runner: DagRunner):
    from airflow.sdk import AsyncCallback
    from airflow.sdk._shared.module_loading import import_string

    for name, dag in runner.folder.dags.items():
        assert dag.doc_md, name
        assert dag.tags - {"codewave"}, name
        assert dag.owner != "airflow", name
        assert not dag.catchup, name
        assert dag.max_active_runs == 1, name
        (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
        assert isinstance(deadline.callback, AsyncCallback), name
        assert callable(import_string(deadline.callback.path)), name
        for task in dag.tasks:
            assert task.retries > 0, f"{name}.{task.task_id}"
            assert task.retry_exponential_backoff, f"{name}.{task.task_id}"
            assert task.on_failure_callback, f"{name}.{task.task_id}"


@pytest.mark.system
@pytest.mark.parametrize("table", DERIVED, ids=lambda table: table.name)
def test_a_derived_table_has_a_dag_that_starts_when_a_source_has_new_rows(table: TableDefinition, runner: DagRunner):
    dag = runner.folder.dags[f"derive_{table.name}"]
    scheduled = {asset.name for asset in dag.timetable.asset_condition.objects}
    assert scheduled == set(table.touched_by)
    assert dag.owner == table.owner


@pytest.mark.parametrize("table", DERIVED, ids=lambda table: table.name)
def test_what_touches_a_derived_table_is_read_by_its_query(table: TableDefinition):
    assert set(table.touched_by) <= set(source_tables(table.query)) - {table.name}


@pytest.mark.system
def test_what_a_dag_waits_for_is_told_by_another(runner: DagRunner):
    """Each asset that starts a DAG is an outlet of a task, or a table that `lake_watch` tells of."""
    told = {asset.name for dag in runner.folder.dags.values() for task in dag.tasks for asset in task.outlets}
    watched = {asset.name for asset in runner.folder.dags["lake_watch"].task_dict["announce"].inlets}
    for table in DERIVED:
        assert set(table.touched_by) <= told | watched, table.name


@pytest.mark.system
@pytest.mark.usefixtures("airflow_settings")
def test_derived_tables_come_after_those_they_read():
    from codewave.orchestration.dag import derived_in_order

    order = derived_in_order()
    assert sorted(order) == [one.name for one in DERIVED]
    for table in DERIVED:
        assert all(order.index(source) < order.index(table.name) for source in table.touched_by if source in order)
