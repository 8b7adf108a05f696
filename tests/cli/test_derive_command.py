"""``codewave tables derive`` derives what is touched, or the intervals named, and says what it did."""

import json
from typing import Any

import pytest
import typer
from example_lake import ExampleLake
from example_rooms import finished, queued, started
from lake_fixture import lake  # noqa: F401
from typer.testing import CliRunner

from codewave.cli import tables
from codewave.errors import WrongUseError

app = typer.Typer()
tables.register(app)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["tables", "derive", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def derived(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json"))
    return found


def test_what_is_touched_is_derived_once(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(queued(1), started(2), finished(3))
    (first,) = derived("executions")
    assert (first["start"], first["rows"]) == ("2026-01-01T00:00:00Z", 1)
    assert first["snapshot_id"] is not None
    assert derived("executions") == []


def test_named_intervals_are_derived_again_and_written_only_if_they_differ(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(queued(1), started(2), finished(3))
    both = derived("executions", "--from", "2026-01-01", "--to", "2026-01-03")
    again = derived("executions", "--from", "2026-01-01")
    assert [(one["start"][:10], one["rows"]) for one in both] == [("2026-01-01", 1), ("2026-01-02", 0)]
    assert [(one["rows"], one["snapshot_id"]) for one in again] == [(1, None)]


def test_the_terminal_shows_how_many_were_written(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(queued(1), started(2), finished(3))
    assert "executions: 1 intervals derived, 1 of them written" in run("executions")


@pytest.mark.usefixtures("lake")
def test_an_hourly_table_is_derived_by_the_hour() -> None:
    found = derived("room_activity_hourly", "--from", "2026-01-01T00:30:00", "--to", "2026-01-01T02:00:00")
    assert [one["start"] for one in found] == ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("chat_messages",), "not derived by a query"), (("executions", "--to", "2026-01-02"), "--to needs --from")],
)
@pytest.mark.usefixtures("lake")
def test_wrong_use_is_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(WrongUseError, match=message):
        CliRunner().invoke(app, ["tables", "derive", *arguments], catch_exceptions=False)
