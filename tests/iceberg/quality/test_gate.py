"""The gate on real tables: what breaks a promise closes it, is told, stored, found again by its key, and shown."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from quality_lake import DAY, HOUR, NEXT_HOUR, append, message, outcome, quality_lake, rows_of

from iceberg.derive.interval import Interval
from iceberg.lake import Lake
from iceberg.quality.docs import data_docs
from iceberg.quality.errors import GateClosed
from iceberg.quality.gate import GateResult, run_gate
from iceberg.quality.suite import read_suite, suite_names
from iceberg.quality.verdicts import last_results

# Great Expectations takes seconds to import, and some more to judge.
pytestmark = pytest.mark.system

OUTCOMES = "execution_outcomes"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return quality_lake(tmp_path, OUTCOMES, "chat_messages", "billing_seals")


def judge(lake: Lake, interval: Interval | None) -> GateResult:
    """Run the gate over outcomes without building pages, which takes most of the time."""
    return run_gate(lake, OUTCOMES, interval, docs=False)


def verdict(lake: Lake, expectation: str) -> dict[str, Any]:
    (row,) = [row for row in rows_of(lake, "quality_results") if row["expectation"] == expectation]
    return row


def test_great_expectations_loads_every_suite_as_it_is() -> None:
    import great_expectations as gx
    import yaml

    for name in suite_names():
        path = Path(__file__).parents[3] / "expectations" / f"{name}.yml"
        loaded = gx.ExpectationSuite(**yaml.safe_load(path.read_text(encoding="utf-8")))
        assert len(loaded.expectations) == len(read_suite(name).expectations)


def test_a_good_interval_leaves_the_gate_open_and_every_expectation_leaves_a_row(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1), outcome(2))
    result = judge(lake, HOUR)
    rows = rows_of(lake, "quality_results")
    assert result.rows == 2
    assert {row["expectation"] for row in rows} == {one.id for one in read_suite(OUTCOMES).expectations}
    assert all(row["success"] and row["checked"] <= 2 and row["interval_start"] == DAY for row in rows)
    assert rows_of(lake, "quality_failures") == []


@pytest.mark.parametrize(
    ("changes", "expectation", "told"),
    [
        ({"outcome": "vanished"}, "values_to_be_in_set(outcome)", '{"outcome":"vanished"}'),
        ({"cpu_ms": -1}, "values_to_be_between(cpu_ms)", '{"cpu_ms":-1}'),
        ({"room_id": None}, "values_to_not_be_null(room_id)", '{"room_id":null}'),
        ({"received_at": None}, "values_to_not_be_null(received_at)", '{"received_at":null}'),
        ({"event_id": "7"}, "values_to_match_regex(event_id)", '{"event_id":"7"}'),
    ],
)
def test_a_bad_row_closes_the_gate_with_its_reason_and_is_found_by_its_key(
    lake: Lake, changes: dict[str, Any], expectation: str, told: str
) -> None:
    append(lake, OUTCOMES, outcome(1), outcome(2, **changes))
    with pytest.raises(GateClosed, match="the gate is closed") as closed:
        judge(lake, HOUR)
    (failure,) = [row for row in rows_of(lake, "quality_failures") if row["expectation"] == expectation]
    assert expectation in str(closed.value)
    assert (failure["row_key"], failure["value"]) == ('{"execution_id":"run-2","revision":1}', told)
    row = verdict(lake, expectation)
    assert (row["success"], row["unexpected"], row["severity"]) == (False, 1, "block")
    assert lake.engine.query(row["failing_rows"]).rows == [[failure["row_key"], failure["value"]]]


def test_a_row_stored_twice_closes_the_gate(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1), outcome(2))
    append(lake, OUTCOMES, outcome(2, cpu_ms=121))
    with pytest.raises(GateClosed, match=r"columns_to_be_unique\(execution_id, revision\): 2 of 3 rows"):
        judge(lake, HOUR)
    keys = {row["row_key"] for row in rows_of(lake, "quality_failures")}
    assert keys == {'{"execution_id":"run-2","revision":1}'}


def test_a_warning_is_logged_and_leaves_the_gate_open(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    append(lake, OUTCOMES, outcome(1, started_at=DAY + timedelta(minutes=1)))
    with caplog.at_level(logging.WARNING, logger="iceberg.quality.gate"):
        result = judge(lake, HOUR)
    assert [one.expectation for one in result.failed("warn")] == [
        "pair_values_a_to_be_greater_than_b(finished_at, started_at)"
    ]
    assert "the worker's clock went back" in caplog.text
    assert len(rows_of(lake, "quality_failures")) == 1


def test_a_repeated_run_replaces_its_rows_and_no_others(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1, cpu_ms=-1), outcome(2, received_at=NEXT_HOUR.start, cpu_ms=-2))
    for interval in (HOUR, NEXT_HOUR, HOUR):
        with pytest.raises(GateClosed):
            judge(lake, interval)
    assert len(rows_of(lake, "quality_results")) == 2 * len(read_suite(OUTCOMES).expectations)
    assert {row["value"] for row in rows_of(lake, "quality_failures")} == {'{"cpu_ms":-2}', '{"cpu_ms":-1}'}
    lake.load(OUTCOMES).delete("cpu_ms = -1")
    judge(lake, HOUR)
    assert [row["value"] for row in rows_of(lake, "quality_failures")] == ['{"cpu_ms":-2}']


def test_without_an_interval_only_what_is_new_is_judged_and_a_closed_gate_stays_closed(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1))
    assert judge(lake, None).intervals == [HOUR]
    assert judge(lake, None).intervals == []
    append(lake, OUTCOMES, outcome(2, received_at=NEXT_HOUR.start, cpu_ms=-1))
    for _ in range(2):
        with pytest.raises(GateClosed) as closed:
            judge(lake, None)
        assert closed.value.result.intervals == [NEXT_HOUR]
    lake.load(OUTCOMES).delete("cpu_ms = -1")
    judge(lake, None)
    assert judge(lake, None).results == []


def test_a_table_without_times_is_judged_whole(lake: Lake) -> None:
    seal = {"day": DAY.date(), "sealed_at": DAY, "rows": 1, "hash": "0" * 63}
    columns = {column.name: None for column in lake.definition("billing_seals").columns}
    append(lake, "billing_seals", columns | seal)
    with pytest.raises(GateClosed, match=r"values_to_match_regex\(hash\)"):
        run_gate(lake, "billing_seals", docs=False)
    assert {row["interval_start"] for row in rows_of(lake, "quality_results")} == {None}


def test_nothing_that_people_wrote_or_are_called_leaves_its_table(lake: Lake) -> None:
    append(lake, "chat_messages", message(1, user_id="grace hopper"), message(2, version=2), message(3, text=None))
    with pytest.raises(GateClosed) as closed:
        run_gate(lake, "chat_messages", HOUR)
    kept = {row["expectation"]: row["value"] for row in rows_of(lake, "quality_failures")}
    assert kept["values_to_be_in_set(version)"] == '{"version":2}'
    assert kept["values_to_match_regex(user_id)"] is None
    assert kept["values_to_not_be_null(text)"] is None
    pages = "".join(path.read_text(encoding="utf-8") for path in data_docs(lake).parent.rglob("*.html"))
    stored = "".join(path.read_text(encoding="utf-8") for path in (lake.state / "verdicts").rglob("*.json"))
    for text in (str(closed.value), pages, stored):
        assert "values_to_be_in_set" in text or "version" in text
        assert "nobody else may read" not in text
        assert "grace hopper" not in text


def test_the_pages_name_every_suite_and_show_the_last_verdicts(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1, cpu_ms=-1))
    with pytest.raises(GateClosed):
        run_gate(lake, OUTCOMES, HOUR)
    index = data_docs(lake).read_text(encoding="utf-8")
    pages = sorted(path.name for path in (data_docs(lake).parent / "expectations").glob("*.html"))
    (page,) = (data_docs(lake).parent / "validations" / OUTCOMES).rglob("*.html")
    assert pages == [f"{name}.html" for name in suite_names()]
    assert OUTCOMES in index
    assert "Failed" in page.read_text(encoding="utf-8")


def test_the_last_verdicts_come_with_their_failing_rows(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1, cpu_ms=-1))
    with pytest.raises(GateClosed):
        judge(lake, HOUR)
    first = last_results(lake, OUTCOMES)[0]
    assert (first.expectation, first.success) == ("values_to_be_between(cpu_ms)", False)
    assert first.failing == ['{"execution_id":"run-1","revision":1} {"cpu_ms":-1}']


def test_gates_that_run_at_once_keep_each_others_verdicts(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1))
    append(lake, "chat_messages", message(1))
    judge(lake, HOUR)
    with ThreadPoolExecutor(4) as threads:
        runs = [threads.submit(run_gate, lake, table, HOUR, docs=False) for table in (OUTCOMES, "chat_messages") * 2]
        for run in runs:
            run.result()
    expected = len(read_suite(OUTCOMES).expectations) + len(read_suite("chat_messages").expectations)
    assert len(rows_of(lake, "quality_results")) == expected
