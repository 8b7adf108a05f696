"""Column profiles: counted by the engine, stored once a day, without what people wrote; drift is told."""

import logging
from datetime import date, timedelta
from pathlib import Path

import pytest
from quality_lake import DAY, append, message, outcome, quality_lake, rows_of

from iceberg.lake import Lake
from iceberg.quality.profile import Profile, profile_day

OUTCOMES = "execution_outcomes"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return quality_lake(tmp_path, OUTCOMES, "chat_messages")


def by_name(profiles: list[Profile]) -> dict[str, Profile]:
    return {one.column_name: one for one in profiles}


def add_day(lake: Lake, day: int, **changes: object) -> date:
    at = DAY + timedelta(days=day)
    rows = [outcome(100 * day + number, received_at=at, **changes) for number in range(20)]
    append(lake, OUTCOMES, *rows)
    return at.date()


def test_a_profile_says_what_the_columns_of_a_day_look_like(lake: Lake) -> None:
    append(
        lake, OUTCOMES, *(outcome(number, cpu_ms=number, outcome="failed" if number else "lost") for number in range(4))
    )
    append(lake, OUTCOMES, outcome(9, received_at=DAY + timedelta(days=1)))
    found = by_name(profile_day(lake, OUTCOMES, DAY.date()))
    cpu, image, outcomes = found["cpu_ms"], found["image"], found["outcome"]
    assert (cpu.rows, cpu.nulls, cpu.smallest, cpu.largest, cpu.mean) == (4, 0, "0", "3", 1.5)
    assert (image.nulls, image.distinct_values, image.top_values) == (4, 0, [])
    assert [(one.value, one.rows) for one in outcomes.top_values] == [("failed", 3), ("lost", 1)]


def test_a_repeated_profile_replaces_the_one_before(lake: Lake) -> None:
    append(lake, OUTCOMES, outcome(1))
    for _ in range(2):
        profile_day(lake, OUTCOMES, DAY.date())
    assert len(rows_of(lake, "column_profiles")) == len(lake.definition(OUTCOMES).columns)


def test_of_what_people_wrote_and_are_called_nothing_is_kept(lake: Lake) -> None:
    append(lake, "chat_messages", message(1), message(2, user_id="grace"), message(3, text=None))
    found = by_name(profile_day(lake, "chat_messages", DAY.date()))
    assert (found["text"].nulls, found["text"].distinct_values) == (1, None)
    assert found["user_id"].distinct_values == 2
    stored = str(rows_of(lake, "column_profiles"))
    assert "nobody else may read" not in stored
    assert "grace" not in stored


def test_a_day_without_rows_has_no_profile(lake: Lake) -> None:
    assert profile_day(lake, OUTCOMES, DAY.date()) == []


def test_a_change_that_breaks_no_rule_is_found_after_a_week(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    for day in range(7):
        assert all(one.drift is None for one in profile_day(lake, OUTCOMES, add_day(lake, day)))
    with caplog.at_level(logging.WARNING, logger="iceberg.quality.profile"):
        found = by_name(profile_day(lake, OUTCOMES, add_day(lake, 7, cpu_ms=120_000, language="cobol")))
    assert found["cpu_ms"].drift == "mean 1.2e+05, before 120"
    assert str(found["language"].drift).startswith("new value cobol, before none")
    assert found["wall_ms"].drift is None
    assert "execution_outcomes.cpu_ms on 2026-01-08 drifts" in caplog.text
    kept = [row["drift"] for row in rows_of(lake, "column_profiles") if row["column_name"] == "cpu_ms"]
    assert sorted(filter(None, kept)) == ["mean 1.2e+05, before 120"]
