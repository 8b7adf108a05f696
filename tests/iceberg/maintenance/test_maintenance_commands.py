"""The commands by which an operator cares for the tables by hand."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from maintained_lake import DAY, TABLE, append, lake_of, newest, notes, stored
from typer.testing import CliRunner

from codewave.cli.app import app
from iceberg.lake import Lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    lake = lake_of(tmp_path)
    monkeypatch.setattr("iceberg.lake.local_lake", lambda *_: lake)
    return lake


def tables(*words: str) -> str:
    result = CliRunner().invoke(app, ["tables", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: str) -> Any:
    (result,) = msgspec.json.decode(tables(*words, "--json"))
    return result


def test_small_files_are_compacted_and_the_old_ones_expired(lake: Lake, tmp_path: Path) -> None:
    append(lake, notes(100), files=6)
    count = len(stored(tmp_path))
    shown = tables("compact", TABLE)
    assert f"notes: {count} files of 1 partition," in shown
    assert "became 1" in shown
    expired = answer("expire", TABLE, "--older-than-days", "0", "--newest", "1", "--job-days", "0")
    assert (expired["snapshots"], expired["data_files"]) == (1, count)
    assert len(stored(tmp_path)) == 1


def test_manifests_are_merged(lake: Lake) -> None:
    for start in range(3):
        append(lake, notes(1, start))
    assert answer("rewrite-manifests", TABLE, "--at-least", "2")["manifests_after"] == 1


def test_old_rows_are_taken_out(lake: Lake) -> None:
    append(lake, notes(10, 0, DAY.replace(year=2020)))
    append(lake, notes(10, 0, DAY.replace(year=2100)))
    assert "10 rows taken out, 1 partition before" in tables("retain")


@pytest.mark.parametrize("command", ["compact", "rewrite-manifests", "expire", "remove-orphans", "retain"])
def test_a_dry_run_changes_nothing(lake: Lake, tmp_path: Path, command: str) -> None:
    append(lake, notes(100, 0, DAY.replace(year=2020)), files=12)
    first, files = newest(lake), stored(tmp_path, "*")
    assert answer(command, TABLE, "--dry-run")["dry_run"] is True
    assert (newest(lake), stored(tmp_path, "*")) == (first, files)


def test_with_nothing_to_do_they_say_so(lake: Lake) -> None:
    append(lake, notes(10))
    for command in ("compact", "rewrite-manifests", "expire", "remove-orphans"):
        assert tables(command).strip() == "nothing to do"


def test_orphans_younger_than_a_day_are_refused(lake: Lake) -> None:
    append(lake, notes(10))
    result = CliRunner().invoke(app, ["tables", "remove-orphans", TABLE, "--older-than-days", "0.5"])
    assert "may belong to a commit" in str(result.exception)


def test_an_unknown_table_is_refused(lake: Lake) -> None:
    result = CliRunner().invoke(app, ["tables", "compact", "nothing"])
    assert "no table 'nothing'" in str(result.exception)
    assert lake.load(TABLE).current_snapshot() is None
