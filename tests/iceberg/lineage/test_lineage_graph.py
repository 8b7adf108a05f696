"""What feeds what is read from the SQL: the Flink job's statements, and the queries of derived tables."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from codewave.errors import CodewaveError, WrongUseError
from iceberg.definition import Column, TableDefinition, read_definitions
from iceberg.lineage.columns import ColumnEdge, Field, column_edges
from iceberg.lineage.graph import Branch, Dataset, FieldBranch, Graph, known_graph, lineage_graph
from iceberg.lineage.stream_job import STREAM_COLUMNS, stream_job, stream_jobs

SCHEMA = {
    "runs": {"id": "VARCHAR", "cpu_ms": "BIGINT", "kind": "VARCHAR"},
    "users": {"id": "VARCHAR", "name": "VARCHAR"},
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return known_graph()


def names(branches: tuple[Branch, ...]) -> Iterator[str]:
    for branch in branches:
        yield branch.dataset
        yield from names(branch.branches)


def fields(branches: tuple[FieldBranch, ...]) -> Iterator[tuple[str, str, str]]:
    for branch in branches:
        yield branch.field.dataset, branch.field.column, branch.how
        yield from fields(branch.branches)


def edges(sql: str) -> list[tuple[str, str, str]]:
    return [(f"{one.source.dataset}.{one.source.column}", one.target.column, one.how) for one in edges_of(sql)]


def edges_of(sql: str) -> tuple[ColumnEdge, ...]:
    return column_edges("made", sql, SCHEMA)


def derived(name: str, query: str, *columns: str, **more: Any) -> TableDefinition:
    return TableDefinition(
        description="A table.",
        row="a row",
        owner="tests",
        written_by="batch",
        retention_days=1,
        partition=(),
        sort=(),
        columns=tuple(Column(name=one, type="long", description="A column.") for one in columns),
        name=name,
        query=query,
        **more,
    )


def test_a_column_taken_as_it_is_a_computed_one_and_a_sum_are_told_apart() -> None:
    found = edges("SELECT id, cpu_ms / 1000 AS cpu_s, SUM(cpu_ms) OVER () AS total FROM runs")
    assert found == [
        ("runs.cpu_ms", "cpu_s", "computed"),
        ("runs.cpu_ms", "total", "aggregated"),
        ("runs.id", "id", "same"),
    ]


def test_a_column_is_followed_through_ctes_joins_and_unions_to_the_table_it_comes_from() -> None:
    sql = """
        WITH named AS (SELECT runs.id, users.name AS who FROM runs LEFT JOIN users ON runs.id = users.id),
        both AS (SELECT who AS label FROM named UNION ALL SELECT kind AS label FROM runs)
        SELECT UPPER(label) AS label FROM both
    """
    assert edges(sql) == [("runs.kind", "label", "computed"), ("users.name", "label", "computed")]


def test_a_constant_and_a_count_of_rows_come_from_no_column() -> None:
    assert edges("SELECT 1 AS one, COUNT(*) AS rows_held FROM runs") == []


def test_sql_that_cannot_be_followed_names_the_table_and_the_place() -> None:
    with pytest.raises(CodewaveError, match=r"lineage of made: .*see iceberg/made/query.sql"):
        edges("SELECT id FROM (runs")


def test_every_table_that_the_stream_writes_comes_from_the_stream(graph: Graph) -> None:
    for definition in read_definitions():
        if definition.written_by == "stream":
            assert set(names(graph.upstream(Dataset(definition.name, "table")))) == {"records"}


def test_every_column_of_every_table_that_the_stream_writes_has_its_origin(graph: Graph) -> None:
    for definition in read_definitions():
        if definition.written_by == "stream":
            for column in definition.columns:
                sources = list(fields(graph.column_sources(Field(definition.name, column.name))))
                assert [source[0] for source in sources] == ["records"], (definition.name, column.name)
                assert sources[0][1] in STREAM_COLUMNS


def test_what_the_python_operator_decodes_is_told_from_what_is_archived_as_it_came(graph: Graph) -> None:
    decoded = list(fields(graph.column_sources(Field("execution_events", "cpu_ms"))))
    archived = list(fields(graph.column_sources(Field("raw_records", "data"))))
    position = list(fields(graph.column_sources(Field("record_audit", "shard_id"))))
    assert decoded == [("records", "data", "decoded")]
    assert archived == [("records", "data", "same")]
    assert position == [("records", "shard_id", "decoded")]


def test_the_search_indices_are_fed_by_the_stream_too(graph: Graph) -> None:
    indices = {one.name for one in graph.datasets() if one.kind == "index"}
    assert {"activity-*", "executions-*", "execution-logs-*", "rooms"} <= indices


def test_the_job_started_with_some_sinks_writes_those_only() -> None:
    raw = stream_job("raw")
    everything = stream_job("raw,lake,search")
    assert [one.name for one in raw.outputs] == ["raw_records"]
    assert len(everything.outputs) == sum(len(job.outputs) for job in stream_jobs())


def test_every_derived_table_has_the_sources_that_its_query_names(graph: Graph) -> None:
    for definition in read_definitions():
        if definition.derived:
            job = graph.job_of(definition.name)
            assert job is not None
            assert job.inputs
            assert {edge.target.column for edge in job.columns} <= {column.name for column in definition.columns}


def test_the_ledger_comes_from_outcomes_and_the_seals_close_a_circle_with_it(graph: Graph) -> None:
    up = graph.upstream(Dataset("executions", "table"))
    assert {"execution_outcomes", "billing_seals", "executions", "records"} <= set(names(up))
    seals = next(one for one in up if one.dataset == "billing_seals")
    assert [(one.dataset, one.again, one.branches) for one in seals.branches] == [("executions", True, ())]


def test_a_change_of_the_stream_is_followed_down_to_what_it_reaches(graph: Graph) -> None:
    down = set(names(graph.downstream(Dataset("execution_outcomes", "table"))))
    assert {"executions", "billing_seals"} <= down
    assert "chat_messages" not in down


def test_quantities_of_the_ledger_can_be_followed_back_to_the_record(graph: Graph) -> None:
    found = list(fields(graph.column_sources(Field("executions", "output_bytes"))))
    assert ("execution_outcomes", "output_bytes", "computed") in found or (
        "execution_outcomes",
        "output_bytes",
        "aggregated",
    ) in found
    assert ("records", "data", "decoded") in found


def test_a_derived_table_of_another_project_folder_is_followed_too() -> None:
    source = derived("runs_daily", "SELECT cpu_ms AS total FROM chat_messages_like", "total")
    table = structs.replace(
        source, name="chat_messages_like", query="", columns=(Column(name="cpu_ms", type="long", description="-"),)
    )
    graph = lineage_graph([source, table])
    assert list(fields(graph.column_sources(Field("runs_daily", "total")))) == [
        ("chat_messages_like", "cpu_ms", "same")
    ]


def test_a_name_that_nothing_reads_or_writes_is_refused_with_those_there_are(graph: Graph) -> None:
    with pytest.raises(WrongUseError, match=r"'runs'; there are: .*execution_outcomes"):
        graph.dataset("runs")


def test_every_table_has_its_place_in_the_graph(graph: Graph) -> None:
    known = {one.name for one in graph.datasets() if one.kind == "table"}
    assert {definition.name for definition in read_definitions()} == known


def test_the_quality_tables_look_at_every_other_table(graph: Graph) -> None:
    watched = set(names(graph.upstream(Dataset("quality_results", "table"))))
    assert {"execution_events", "executions", "records"} <= watched
    assert "quality_failures" not in watched
