"""``codewave quality``: what a person types, and what comes back."""

import json
from pathlib import Path

import pytest
from example_lake import sqlite_catalog
from quality_lake import DAY, append, outcome, quality_lake
from typer.testing import CliRunner, Result

import codewave.local.catalog
from codewave.cli.app import app
from codewave.errors import WrongUseError
from iceberg.definition import read_definitions
from iceberg.lake import Lake

OUTCOMES = "execution_outcomes"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Commands find this lake in place of the local stack's."""
    monkeypatch.setenv("CODEWAVE_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(codewave.local.catalog, "load_catalog", lambda _: sqlite_catalog(tmp_path))
    return quality_lake(tmp_path, OUTCOMES)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quality", *arguments])


@pytest.mark.system
def test_a_closed_gate_is_exit_code_1_and_its_failing_rows_are_shown(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1, cpu_ms=-1), outcome(2))
    closed = call("run", OUTCOMES, "--json")
    assert closed.exit_code == 1
    (judged,) = json.loads(closed.stdout)
    assert (judged["open"], judged["rows"]) == (False, 2)
    assert judged["failed"] == ['values_to_be_between(cpu_ms): 1 of 2 rows: {"cpu_ms":-1}']
    shown = call("results", OUTCOMES, "--failed")
    assert "BLOCKS execution_outcomes 2026-01-01T00:00" in shown.output
    assert '{"execution_id":"run-1","revision":1} {"cpu_ms":-1}' in shown.output


@pytest.mark.system
def test_a_good_table_is_exit_code_0_and_is_judged_again_from_a_time_on(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1))
    assert "execution_outcomes: open, 1 rows" in call("run", OUTCOMES).output
    assert "execution_outcomes: open, 0 rows" in call("run", OUTCOMES).output
    again = call("run", OUTCOMES, "--since", "2026-01-01")
    assert (again.exit_code, "open, 1 rows" in again.output) == (0, True)


@pytest.mark.system
def test_the_pages_are_built_and_it_says_where(lake: Lake) -> None:
    page = Path(json.loads(call("docs", "--json").stdout)["data_docs"])
    assert page == lake.state.parent / "lake" / "data-docs" / "index.html"
    assert OUTCOMES in page.read_text(encoding="utf-8")


def test_a_profile_of_a_day_is_shown(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1), outcome(2))
    found = json.loads(call("profile", OUTCOMES, "--day", f"{DAY:%Y-%m-%d}", "--json").stdout)
    rows = {one["column_name"]: one["rows"] for one in found}
    assert rows == dict.fromkeys((column.name for column in lake.definition(OUTCOMES).columns), 2)


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize("arguments", [("run",), ("run", OUTCOMES, "--all"), ("run", "nothing")])
def test_neither_a_table_nor_all_is_wrong_use(arguments: tuple[str, ...]) -> None:
    assert isinstance(call(*arguments).exception, WrongUseError)


def test_all_leaves_out_what_quality_writes_itself() -> None:
    from codewave.cli.quality import chosen

    names = chosen(tuple(read_definitions()), None, every=True)
    assert OUTCOMES in names
    assert not {"quality_results", "quality_failures", "column_profiles"} & set(names)
