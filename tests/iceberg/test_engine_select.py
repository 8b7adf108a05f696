"""SELECT for programs: parameters are bound, tables pinned at snapshots, and threads do not disturb each other."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import pytest
from derived_lake import at, lake_with, put, quick_catalog

from codewave.errors import CodewaveError, WrongUseError
from iceberg.athena import source_tables
from iceberg.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = lake_with(quick_catalog(tmp_path), tmp_path / "warehouse", "billing_seals")
    put(lake, "billing_seals", {"day": date(2026, 1, 1), "sealed_at": at("2026-01-02T00:00:00"), "hash": "it's"})
    return lake


def current(lake: Lake) -> int:
    snapshot = lake.load("billing_seals").current_snapshot()
    assert snapshot is not None
    return snapshot.snapshot_id


def test_parameters_keep_their_types_and_cannot_end_a_literal(lake: Lake) -> None:
    sql = (
        "SELECT :number AS number, :text AS text, :day AS day, CAST(:at AS DATE) AS at_day FROM billing_seals "
        "WHERE day = :day AND sealed_at >= :at AND hash = :hash"
    )
    values = {
        "number": -3, "text": "'; DROP TABLE x --", "day": date(2026, 1, 1), "hash": "it's",
        "at": datetime.fromisoformat("2026-01-02T01:00:00+01:00"),
    }  # fmt: skip
    (row,) = lake.engine.select(sql, values).to_pylist()
    assert row == {"number": -3, "text": values["text"], "day": date(2026, 1, 1), "at_day": date(2026, 1, 2)}


def test_a_parameter_without_a_value_is_refused(lake: Lake) -> None:
    with pytest.raises(WrongUseError, match="no value for :day"):
        lake.engine.select("SELECT day FROM billing_seals WHERE day = :day", {"days": 1})


def test_a_table_is_read_at_the_snapshot_given(lake: Lake) -> None:
    first = current(lake)
    put(lake, "billing_seals", {"day": date(2026, 1, 2)})
    counted = "SELECT COUNT(*) AS days FROM billing_seals"
    assert lake.engine.select(counted).to_pylist() == [{"days": 2}]
    assert lake.engine.select(counted, snapshots={"billing_seals": first}).to_pylist() == [{"days": 1}]
    assert lake.engine.select(counted, snapshots={"billing_seals": current(lake)}).to_pylist() == [{"days": 2}]


def test_a_snapshot_that_has_expired_is_said(lake: Lake) -> None:
    with pytest.raises(CodewaveError, match="snapshot 7 of billing_seals is gone; run it again"):
        lake.engine.select("SELECT day FROM billing_seals", snapshots={"billing_seals": 7})


def test_threads_read_different_snapshots_of_one_table_at_once(lake: Lake) -> None:
    known = [current(lake)]
    for number in range(2, 6):
        put(lake, "billing_seals", {"day": date(2026, 1, number)})
        known.append(current(lake))

    def count(snapshot: int) -> int:
        answer = lake.engine.select("SELECT COUNT(*) AS days FROM billing_seals", snapshots={"billing_seals": snapshot})
        return int(answer["days"][0].as_py())

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(count, known * 4)) == [1, 2, 3, 4, 5] * 4


def test_only_a_select_over_the_lake_is_run(lake: Lake) -> None:
    refused = (
        "DELETE FROM billing_seals",
        "SHOW TABLES",
        "SELECT a FROM read_text('/etc/passwd')",
        "SELECT 1; SELECT 2",
    )
    for sql in refused:
        with pytest.raises(WrongUseError):
            lake.engine.select(sql)


def test_sources_are_the_tables_read_and_not_a_querys_own_names() -> None:
    sql = "WITH a AS (SELECT x FROM b), c AS (SELECT x FROM a JOIN D ON TRUE) SELECT x FROM c JOIN b ON c.x = :y"
    assert source_tables(sql) == ("b", "d")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_days_are_utc_whatever_the_machines_zone_is(zone: str) -> None:
    program = """
from iceberg.engine import utc_connection
sql = "SELECT CAST(TIMESTAMPTZ '2026-01-01 23:59:00+00' AS DATE), current_setting('TimeZone')"
with utc_connection().cursor() as cursor:
    print(cursor.sql(sql).fetchall())
"""
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, env=os.environ | {"TZ": zone}, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"[({date(2026, 1, 1)!r}, 'UTC')]"
