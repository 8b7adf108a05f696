"""The rows that a gate judges: those of its interval, in bounded chunks, without what people wrote."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from quality_lake import DAY, HOUR, NEXT_HOUR, append, message, outcome, quality_lake

from codewave.errors import CodewaveError
from iceberg.definition import TableDefinition, read_definitions
from iceberg.derive.interval import Interval
from iceberg.lake import Lake
from iceberg.quality import rows as reading
from iceberg.quality.changes import new_intervals
from iceberg.quality.narrow import Search
from iceberg.quality.rows import chunks
from iceberg.quality.scope import Scope, interval_since, scope_of
from iceberg.quality.suite import read_suite

OUTCOMES = "execution_outcomes"


def definition(name: str) -> TableDefinition:
    return next(one for one in read_definitions() if one.name == name)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return quality_lake(tmp_path, OUTCOMES, "chat_messages")


def test_a_table_is_cut_by_its_interval_or_its_partition() -> None:
    assert scope_of(definition(OUTCOMES)) == Scope("received_at", "timestamptz", "hour")
    assert scope_of(definition("executions")) == Scope("billing_day", "date", "day")
    assert scope_of(definition("billing_seals")) == Scope(None)


def test_an_interval_of_hours_over_dates_is_the_days_that_it_touches() -> None:
    late = Interval(DAY + timedelta(hours=23), DAY + timedelta(hours=25))
    bounds = Scope("day", "date", "day").parameters(late)
    assert bounds == {"interval_start": date(2026, 1, 1), "interval_end": date(2026, 1, 3)}


def test_since_a_time_is_from_its_hour_to_the_end_of_this_one() -> None:
    now = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    assert interval_since(DAY + timedelta(minutes=10), now) == Interval(DAY, DAY + timedelta(hours=3))


def test_only_rows_of_the_interval_are_read_and_those_without_a_time(lake: Lake) -> None:
    hour = timedelta(hours=1)
    append(lake, OUTCOMES, outcome(1), outcome(2, received_at=DAY + hour), outcome(3, received_at=None))
    assert read(lake, HOUR) == [["run-1"], ["run-3"]]
    assert read(lake, NEXT_HOUR) == [["run-2"], ["run-3"]]


def test_rows_come_in_chunks_whatever_the_files_are(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK_ROWS", 3)
    append(lake, OUTCOMES, *(outcome(number) for number in range(7)))
    for number in range(7, 10):
        append(lake, OUTCOMES, outcome(number))
    sizes = [len(chunk) for chunk in read(lake, HOUR)]
    assert sum(sizes) == 10
    assert max(sizes) == 3


def test_a_column_that_the_table_lacks_is_named(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1))
    table = lake.load(OUTCOMES)
    snapshot = table.metadata.current_snapshot_id
    with pytest.raises(CodewaveError, match="has no column colour; run `codewave tables apply`"):
        list(chunks(table, scope_of(definition(OUTCOMES)).filters(HOUR), {"colour"}, {}, snapshot or 0))


def test_what_people_wrote_is_not_read(lake: Lake) -> None:
    suite = read_suite("chat_messages")
    search = Search(lake, suite, HOUR, 0)
    judged = [one for one in suite.expectations if not search.is_narrowed(one)]
    assert "text" in suite.columns()
    assert "text" not in suite.columns(judged)


def test_sql_finds_the_rows_that_share_a_key_and_counts_them_all(lake: Lake) -> None:
    append(lake, "chat_messages", *(message(number % 3) for number in range(7)), message(9))
    suite = read_suite("chat_messages")
    snapshot = lake.load("chat_messages").metadata.current_snapshot_id or 0
    unique = next(one for one in suite.expectations if one.id == "values_to_be_unique(event_id)")
    found = Search(lake, suite, HOUR, snapshot).suspects(unique)
    assert (found.rows, len(found.frame)) == (7, 7)
    assert Search(lake, suite, NEXT_HOUR, snapshot).suspects(unique).rows == 0


def test_what_is_new_is_the_hours_that_files_were_added_to(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1), outcome(2, received_at=DAY + timedelta(hours=2)))
    scope = scope_of(definition(OUTCOMES))
    found = new_intervals(lake, lake.load(OUTCOMES), scope, DAY)
    # By the bounds of the file: the hour between the two is judged, too.
    assert found == scope.intervals(DAY, DAY + timedelta(hours=2))
    assert len(found) == 3


def test_a_file_without_any_time_is_judged_with_this_hour(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1, received_at=None))
    scope = scope_of(definition(OUTCOMES))
    assert new_intervals(lake, lake.load(OUTCOMES), scope, HOUR.start) == [HOUR]


def test_a_whole_day_is_an_interval_where_a_table_is_derived_by_day() -> None:
    by_day = replace(definition("executions"), interval_column="finished_at")
    assert scope_of(by_day).unit == "day"


def read(lake: Lake, interval: Interval) -> list[list[str]]:
    table = lake.load(OUTCOMES)
    snapshot = table.metadata.current_snapshot_id or 0
    found = chunks(table, scope_of(definition(OUTCOMES)).filters(interval), {"execution_id"}, {}, snapshot)
    return [sorted(chunk["execution_id"]) for chunk in found]
