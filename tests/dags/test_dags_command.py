"""``codewave dags``: what it prints and how it ends."""

import json

import pytest
from airflow_lake import LakeOfDags
from example_rooms import chat
from typer.testing import CliRunner

from codewave.cli.app import app
from codewave.errors import WrongUseError
from codewave.local.settings import LocalSettings

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def home(lake: LakeOfDags, airflow_settings: LocalSettings, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Commands use the Airflow that all tests share."""
    monkeypatch.setenv("CODEWAVE_DATA_FOLDER", str(airflow_settings.data))


def codewave(*words: str) -> tuple[int, object]:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def test_the_dags_are_listed_with_when_they_run_and_by_when_they_end():
    code, found = codewave("dags", "list")
    assert code == 0
    dags = {dag["name"]: dag for dag in found}
    assert {"lake_watch", "derive_executions", "maintain", "retention", "billing_close", "quality"} <= dags.keys()
    assert dags["lake_watch"]["schedule"] == "* * * * *"
    assert dags["lake_watch"]["deadline_seconds"] == 300
    assert dags["billing_close"]["schedule"] == "0 6 * * *"
    assert dags["derive_executions"]["schedule"] == "billing_seals or execution_outcomes has new rows"
    assert dags["derive_executions"]["owner"] == "billing"


def test_people_see_a_line_of_each_and_not_all_the_sources_of_a_derived_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["dags", "list"], catch_exceptions=False).stdout
    (line,) = [line for line in shown.splitlines() if "derive_executions" in line]
    assert "new rows in its sources" in line
    assert "The ledger that billing reads" in line


def test_dags_run_one_after_the_other_and_say_what_became_of_each_task(lake: LakeOfDags):
    lake.take(chat(1))
    code, found = codewave("dags", "run", "lake_watch", "freshness")
    assert code == 0
    assert [(run["dag"], run["state"]) for run in found] == [("lake_watch", "success"), ("freshness", "success")]
    assert [(task["task"], task["state"]) for task in found[0]["tasks"]] == [("announce", "success")]


def test_the_first_failure_ends_it_with_its_reason(lake: LakeOfDags):
    lake.catalog.drop_table("rooms.chat_messages")
    done = CliRunner().invoke(app, ["dags", "run", "lake_watch", "freshness", "--json"])
    assert done.exit_code == 1
    (only,) = json.loads(done.stdout)
    assert only["state"] == "failed"
    assert "rooms.chat_messages does not exist" in only["reason"]


def test_a_dag_or_date_that_does_not_exist_is_wrong_use():
    with pytest.raises(WrongUseError, match="no DAG 'nope'; there are: billing_close, "):
        codewave("dags", "run", "nope")
    with pytest.raises(WrongUseError, match="'yesterday' is not a date"):
        codewave("dags", "run", "billing_close", "--date", "yesterday")
