"""``codewave reconcile``: its exit code is the answer."""

import json

import typer
from click.testing import Result
from example_lake import ExampleLake
from example_rooms import small_room
from lake_fixture import lake  # noqa: F401
from typer.testing import CliRunner

from codewave.cli import reconcile

app = typer.Typer()
reconcile.register(app)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_counts_that_close_exit_with_0(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*small_room())
    result = run("--json")
    printed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert printed["closes"] is True
    assert printed["received"] == printed["stored"] == len(small_room())
    assert printed["search_closes"] is None
    assert printed["outcomes"]["executions"] == printed["executions"] == 1
    assert (printed["records_missing"], printed["batches_missing"]) == (0, [])


def test_counts_that_do_not_close_exit_with_1_and_say_by_how_many(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*small_room())
    lake.catalog.load_table("rooms.chat_messages").delete("sequence = 2")
    result = run()
    assert result.exit_code == 1
    assert "does not close: 1 events" in result.stdout
    assert "1 executions, 1 with an outcome in 1 rows, 0 of them taken for lost; 0 records missing" in result.stdout
    assert "chat.posted 2026-01-01T00: 2 stored by the audit, 1 in the tables" in result.stdout
