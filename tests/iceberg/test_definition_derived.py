"""The folder of a derived table: its query, its checks and the keys that say when it is run."""

from pathlib import Path

import pytest

from codewave.errors import WrongUseError
from iceberg.definition import Column, TableDefinition, read_checks, read_definition

TABLE = """
description: Notes a day.
row: a day
owner: someone
written_by: batch
retention_days: 7
partition: ["day(day)"]
sort: [day]
key: [day]
interval: day
interval_column: day
touched_by:
  notes: {time: at}
columns:
  - {name: day, type: date, classification: metadata, description: The day.}
  - {name: writer, type: string, classification: personal, description: Who wrote most.}
  - {name: notes, type: long, classification: metadata, description: Notes.}
"""
QUERY = "SELECT CAST(at AS DATE) AS day, MAX(writer) AS writer, COUNT(*) AS notes FROM notes GROUP BY CAST(at AS DATE)"
CHECKS = """\
-- check: some_notes (block)
-- A day without notes
-- has no row.
SELECT day
FROM notes_daily
WHERE notes = 0;

-- check: few_notes (warn)
-- Many are a mistake.
SELECT day FROM notes_daily WHERE notes > 1000
"""


def folder_with(tmp_path: Path, table: str = TABLE, query: str = QUERY, checks: str = CHECKS) -> Path:
    folder = tmp_path / "notes_daily"
    folder.mkdir()
    for name, text in (("table.yml", table), ("query.sql", query), ("checks.sql", checks)):
        if text:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def read(tmp_path: Path, **files: str) -> TableDefinition:
    return read_definition(folder_with(tmp_path, **files))


def test_a_folder_with_a_query_is_a_derived_table(tmp_path: Path) -> None:
    definition = read(tmp_path)
    assert (definition.derived, definition.interval, definition.query) == (True, "day", QUERY)
    assert definition.touched_by["notes"].time == "at"


def test_checks_are_read_with_name_severity_meaning_and_query(tmp_path: Path) -> None:
    first, second = read(tmp_path).checks
    assert (first.name, first.severity, first.meaning) == ("some_notes", "block", "A day without notes has no row.")
    assert first.sql == "SELECT day\nFROM notes_daily\nWHERE notes = 0"
    assert (second.name, second.severity) == ("few_notes", "warn")


def test_a_commit_to_a_derived_table_is_never_repeated_by_itself(tmp_path: Path) -> None:
    assert read(tmp_path).all_properties()["commit.retry.num-retries"] == "0"


def test_access_follows_from_the_classification_unless_the_column_says_otherwise() -> None:
    def column(classification: str | None, **more: object) -> Column:
        given = {"name": "a", "type": "string", "description": "A.", "classification": classification}
        return Column(**given | more)  # type: ignore[arg-type]

    levels = [column(name).access_level for name in ("metadata", "personal", "user_content")]
    assert levels == ["open", "restricted", "confidential"]
    assert column("metadata", access="confidential").access_level == "confidential"
    nested = column(None, type="list", fields=(column("metadata"), column("personal")))
    assert nested.access_level == "restricted"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interval: day\n", "", "`interval: hour` or `day`"),
        ("written_by: batch", "written_by: stream", "`written_by: batch`"),
        ("interval_column: day", "interval_column: notes", "a date column for intervals of one day"),
        ("interval: day\n", "interval: hour\n", "a timestamptz column for intervals of one hour"),
        ("interval: day\n", "interval: week\n", "Invalid enum value 'week'"),
        ("key: [day]", "key: [nr]", "key: no column 'nr'"),
        ("{time: at}", "{}", "touched_by: notes: give `time`"),
        ("{time: at}", "{time: at, same_in_table: id}", "same_in_table: no column 'id'"),
        ("{time: at}", "{when: at}", "unknown field `when`"),
        ("owner: someone", "owner: someone\nquery: SELECT 1", "without checks, name, query"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TABLE
    with pytest.raises(WrongUseError) as caught:
        read(tmp_path, table=TABLE.replace(old, new))
    assert "notes_daily/table.yml" in str(caught.value)
    assert message in str(caught.value)


def test_an_hourly_table_cannot_be_sealed(tmp_path: Path) -> None:
    hourly = TABLE.replace("interval: day\n", "interval: hour\nsealed_by: seals\n")
    hourly = hourly.replace("type: date", "type: timestamptz")
    with pytest.raises(WrongUseError, match="only whole days are sealed"):
        read(tmp_path, table=hourly)


def test_keys_of_a_derived_table_need_a_query(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"are for a table with a query\.sql"):
        read(tmp_path, query="")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "each check starts with a line"),
        ("-- check: a (stop)\n-- Why.\nSELECT 1", "each check starts with a line"),
        ("-- check: a (warn)\nSELECT 1", "a: a comment that says what it means"),
        ("-- check: a (warn)\n-- Why.\n", "a: a comment that says what it means, and one SELECT"),
        ("-- check: a (warn)\n-- Why.\nSELECT 1;\n-- check: a (block)\n-- Why.\nSELECT 1", "a is there twice"),
    ],
)
def test_a_check_without_name_severity_or_meaning_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_checks(text)
