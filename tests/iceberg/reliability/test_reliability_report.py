"""The report over a real table: the stream's audit becomes hours, and hours become minutes of the budget."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from example_lake import NAMESPACE, sqlite_catalog
from typer.testing import CliRunner

import codewave.local.catalog
from codewave.cli.app import app
from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.definition import read_definitions
from iceberg.derive.interval import interval_of
from iceberg.engine import DuckDbEngine
from iceberg.lake import Lake
from iceberg.reliability.report import reliability_report

TABLE = "pipeline_reliability_hourly"
NOW = datetime(2026, 1, 31, 11, 30, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    definitions = [one for one in read_definitions() if one.name == TABLE]
    catalog = sqlite_catalog(tmp_path)
    apply_definitions(catalog, Namespace(NAMESPACE), definitions)
    engine = DuckDbEngine(catalog, NAMESPACE, tmp_path / "warehouse")
    return Lake(catalog, Namespace(NAMESPACE), engine, tmp_path / "state", tuple(definitions))


@pytest.fixture
def stack(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The commands find the lake in place of the local stack's."""
    monkeypatch.setenv("CODEWAVE_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(codewave.local.catalog, "load_catalog", lambda _: sqlite_catalog(tmp_path))
    return lake


def add(lake: Lake, at: datetime, due: int, good: int) -> None:
    row: dict[str, Any] = {column.name: 0 for column in lake.definition(TABLE).columns}
    row |= {"hour": interval_of("hour", at).start, "events_due": due, "events_good": good, "delayed": due - good}
    row |= {"availability": good / due}
    table = lake.load(TABLE)
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


def test_the_hours_of_the_last_days_are_counted_and_no_others(lake: Lake) -> None:
    add(lake, NOW, 100, 90)
    add(lake, NOW - timedelta(days=1), 100, 100)
    add(lake, NOW - timedelta(days=30), 100, 0)
    report = reliability_report(lake, now=NOW)
    assert report.until == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert report.spent_minutes == pytest.approx(6)
    assert report.hours_with_events == 2
    assert report.newest_hour == datetime(2026, 1, 31, 11, tzinfo=UTC)


def test_the_command_tells_the_budget_and_fails_when_it_is_spent(stack: Lake) -> None:
    add(stack, datetime.now(UTC) - timedelta(hours=2), 1_000, 900)
    good = CliRunner().invoke(app, ["reliability"])
    assert good.exit_code == 0
    assert "error budget 21.6 min: 6.0 spent, 15.6 left" in good.output
    add(stack, datetime.now(UTC) - timedelta(hours=1), 1_000, 0)
    bad = CliRunner().invoke(app, ["reliability", "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["spent_minutes"] == pytest.approx(66)
    assert "budget left, by day" in CliRunner().invoke(app, ["reliability"]).output
