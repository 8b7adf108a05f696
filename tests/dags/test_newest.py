"""What is new in a table, by snapshots; and which tables are older than they may be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from example_lake import NAMESPACE, ExampleLake
from example_rooms import chat
from msgspec import structs
from pyiceberg.table.snapshots import Operation, Summary

from codewave.local.namespace import Namespace
from codewave.orchestration import alerts
from codewave.orchestration.freshness import tell_changes
from codewave.orchestration.settings import OrchestrationSettings
from iceberg import newest
from iceberg.definition import read_definitions
from iceberg.lake import Lake
from iceberg.newest import news, stale_tables

TABLE = "chat_messages"


@pytest.fixture
def example(tmp_path: Path) -> ExampleLake:
    return ExampleLake(tmp_path)


@pytest.fixture
def lake(example: ExampleLake, tmp_path: Path) -> Lake:
    limits = {TABLE: 10, "presence_events": 10}
    definitions = [structs.replace(one, freshness_minutes=limits.get(one.name)) for one in read_definitions()]
    return Lake(example.catalog, Namespace(NAMESPACE), example.engine(), tmp_path, tuple(definitions))


def test_a_table_without_rows_has_no_news(lake: Lake):
    assert news(lake, TABLE, None) is None


def test_a_new_snapshot_is_news_until_it_was_seen(lake: Lake, example: ExampleLake):
    example.take(chat(1))
    first = news(lake, TABLE, None)
    assert first is not None
    assert abs(first.committed_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert news(lake, TABLE, first.snapshot_id) is None
    example.take(chat(2))
    second = news(lake, TABLE, first.snapshot_id)
    assert second is not None
    assert second.snapshot_id != first.snapshot_id


def test_a_snapshot_that_was_seen_and_is_gone_makes_everything_new(lake: Lake, example: ExampleLake):
    example.take(chat(1))
    assert news(lake, TABLE, 4711) is not None


@pytest.mark.parametrize(
    ("summary", "changes"),
    [
        (Summary(Operation.APPEND, **{"added-records": "1"}), True),
        (Summary(Operation.OVERWRITE, **{"deleted-records": "1"}), True),
        (Summary(Operation.APPEND, **{"total-records": "7"}), False),
        (Summary(Operation.REPLACE, **{"added-records": "7", "deleted-records": "7"}), False),
    ],
)
def test_empty_commits_and_rewritten_files_are_no_news(
    lake: Lake,
    example: ExampleLake,
    monkeypatch: pytest.MonkeyPatch,
    summary: Summary,
    changes: bool,
):
    example.take(chat(1))
    seen = lake.load(TABLE).metadata.current_snapshot_id
    example.take(chat(2))
    made = lake.load(TABLE).current_snapshot()
    assert made is not None
    other = made.model_copy(update={"summary": summary})
    monkeypatch.setattr(newest, "_until", lambda *_: iter([other]))
    assert (news(lake, TABLE, seen) is not None) == changes


def test_only_tables_with_a_limit_become_stale(lake: Lake, example: ExampleLake):
    example.take(chat(1))
    assert [one.table for one in stale_tables(lake, datetime.now(UTC))] == ["presence_events"]
    later = datetime.now(UTC) + timedelta(minutes=11)
    stale = {one.table: one.reason(later) for one in stale_tables(lake, later)}
    assert stale == {
        "chat_messages": "the last commit to it was 11 minutes ago, more than 10",
        "presence_events": "nothing has ever been committed to it",
    }


def test_one_alert_when_a_table_becomes_stale_and_one_when_it_is_fresh_again(
    lake: Lake, example: ExampleLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = OrchestrationSettings(alert_log=str(tmp_path / "alerts.log"))
    monkeypatch.setattr(alerts, "load_orchestration_settings", lambda: settings)
    stale = tell_changes(lake, [])
    assert tell_changes(lake, stale) == stale == ["chat_messages", "presence_events"]
    example.take(chat(1))
    assert tell_changes(lake, stale) == ["presence_events"]
    told = [(one.kind, one.subject) for one in alerts.read_alerts(tmp_path / "alerts.log")]
    assert told == [
        ("not_fresh", "chat_messages"),
        ("not_fresh", "presence_events"),
        ("fresh_again", "chat_messages"),
    ]
