"""Delays are read from the audit of records in the lake, once all of them are there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow

from bench import delays
from bench.contender import ContenderError
from bench.delays import Audited, audited_since
from codewave.local.namespace import Namespace
from codewave.local.settings import load_settings
from iceberg.apply import apply_definitions
from iceberg.definition import read_definitions

SPACE = Namespace("rooms")
BEGIN_MS = 1_767_225_600_123


def row(arrived_ms: int, cause: str = "record", **values: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(arrived_ms / 1_000, UTC)
    counts = dict.fromkeys(
        ("bytes", "received", "stored", "duplicate", "quarantined", "pending", "released", "late"), 0
    )
    known = {"cause": cause, "room_id": "r", "collector": "c", "batch": 4, "process_delay_ms": 250, "by_type": []}
    return {"arrived_at": at, "received_at": at, "processed_at": at} | counts | known | values


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    catalog = SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=(tmp_path / "warehouse").as_uri())
    apply_definitions(catalog, SPACE, [one for one in read_definitions() if one.name == "record_audit"])
    monkeypatch.setattr(delays, "load_catalog", lambda _: catalog)
    return catalog.load_table(SPACE.table("record_audit"))


def test_the_records_since_a_moment_are_read_without_what_timers_released(table: Any):
    rows = [
        row(BEGIN_MS - 1, received=5),
        row(BEGIN_MS, received=7),
        row(BEGIN_MS + 500, received=3, room_id=None, collector=None, batch=None),
        row(BEGIN_MS + 500, cause="timer"),
    ]
    table.append(pa.Table.from_pylist(rows, schema=schema_to_pyarrow(table.schema(), include_field_ids=False)))
    found = audited_since(load_settings(environment={}), SPACE, BEGIN_MS, 10)
    assert sorted(found, key=lambda one: one.arrived_ms) == [
        Audited("r", "c", 4, BEGIN_MS, 7, 250),
        Audited("", "", 0, BEGIN_MS + 500, 3, 250),
    ]


def test_events_that_never_come_to_the_lake_are_an_error(table: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delays, "_DEADLINE_S", 0.0)
    assert table.name()
    with pytest.raises(ContenderError, match="0 of 10 events are in the lake"):
        audited_since(load_settings(environment={}), SPACE, BEGIN_MS, 10)
