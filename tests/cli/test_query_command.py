"""``codewave query`` and ``codewave tables`` on the terminal and for machines."""

import json

import pytest
import typer
from example_lake import ExampleLake
from example_rooms import chat, typed
from lake_fixture import lake  # noqa: F401
from typer.testing import CliRunner

from codewave.cli import query, tables
from codewave.errors import WrongUseError

app = typer.Typer()
query.register(app)
tables.register(app)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_json_has_columns_and_rows(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(chat(1, "Hello"))
    printed = json.loads(run("query", "SELECT text, received_at FROM chat_messages", "--json"))
    assert printed["columns"] == ["text", "received_at"]
    assert printed["rows"][0][0] == "Hello"
    assert printed["rows"][0][1].endswith("Z")


def test_the_terminal_shows_the_first_rows_and_says_so(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*typed("abc"))
    printed = run("query", "SELECT sequence FROM document_operations ORDER BY 1", "--max-rows", "2")
    assert "3 rows; the first 2 are shown" in printed


def test_what_people_wrote_cannot_control_the_terminal(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(chat(1, "\x1b[31m[bold]red"))
    printed = run("query", "SELECT text FROM chat_messages")
    assert "\x1b" not in printed
    assert "[31m[bold]red" in printed


def test_an_unknown_table_is_wrong_use(lake: ExampleLake) -> None:  # noqa: F811, ARG001
    with pytest.raises(WrongUseError, match="its tables: billing_seals, chat_messages"):
        run("query", "SELECT * FROM nothing")


def test_apply_makes_a_new_namespace_and_then_has_nothing_to_do(lake: ExampleLake) -> None:  # noqa: F811, ARG001
    made = json.loads(run("tables", "apply", "--namespace", "shadow", "--json"))
    assert {"table": "chat_messages", "action": "created", "detail": "14 columns"} in made
    assert run("tables", "apply", "--namespace", "shadow") == "nothing to do\n"


def test_list_counts_the_rows_of_each_table(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*typed("abc"))
    listed = {one["name"]: one for one in json.loads(run("tables", "list", "--json"))}
    assert listed["document_operations"]["records"] == 3
    assert listed["sequence_gaps"] | {"exists": True, "records": 0} == listed["sequence_gaps"]


def test_describe_shows_a_tables_folder() -> None:
    (described,) = json.loads(run("tables", "describe", "execution_logs", "--json"))
    assert described["retention_days"] == 30
    assert described["columns"][-1]["classification"] == "user_content"


def test_describing_an_unknown_table_is_wrong_use() -> None:
    with pytest.raises(WrongUseError, match="no table 'nothing'"):
        run("tables", "describe", "nothing")
