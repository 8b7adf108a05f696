"""``codewave lineage``: the tree up and down, of tables and of columns."""

import json

from typer.testing import CliRunner, Result

from codewave.cli.app import app
from codewave.errors import WrongUseError


def lineage(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["lineage", *arguments])


def test_a_table_is_shown_with_what_feeds_it_and_what_it_feeds() -> None:
    shown = lineage("execution_outcomes").stdout
    up, down = shown.split("feeds")
    assert "records" in up
    assert "room_events lake" in up
    assert "executions" in down
    assert "billing_seals" in down


def test_machines_get_the_same_as_nested_values() -> None:
    answer = json.loads(lineage("usage_daily", "--json").stdout)
    assert (answer["dataset"], answer["kind"], answer["columns"]) == ("usage_daily", "table", [])
    assert {one["job"] for one in answer["downstream"]} == {"quality gate"}
    (ledger,) = answer["upstream"]
    assert (ledger["dataset"], ledger["job"]) == ("executions", "derive usage_daily")


def test_columns_are_shown_one_by_one_or_all() -> None:
    one = lineage("usage_daily.cpu_ms").stdout
    assert one.startswith("usage_daily.cpu_ms")
    assert "executions.cpu_ms" in one
    assert "execution_outcomes.cpu_ms" in one
    everything = json.loads(lineage("usage_daily", "--columns", "--json").stdout)["columns"]
    assert {"room_id", "cpu_ms", "output_bytes"} <= {column["column"] for column in everything}


def test_a_table_or_column_that_is_not_there_is_wrong_use() -> None:
    assert isinstance(lineage("nothing").exception, WrongUseError)
    assert isinstance(lineage("usage_daily.nothing").exception, WrongUseError)
