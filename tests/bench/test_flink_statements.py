"""Statements of a job may be replaced: where several folders have a file of one name, the first counts."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flink_jobs.room_events.settings import Settings


class Tables:
    """Notes what is run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def execute_sql(self, text: str) -> None:
        self.ran.append(text)

    def create_statement_set(self) -> "Tables":
        return self

    def add_insert_sql(self, text: str) -> None:
        self.ran.append(text)

    def attach_as_datastream(self) -> None:
        pass


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, without pyflink."""
    pyflink = ModuleType("pyflink")
    for name in ("DataStream", "StreamExecutionEnvironment", "StreamTableEnvironment"):
        setattr(pyflink, name, object)
    for name in ("pyflink", "pyflink.datastream", "pyflink.table"):
        monkeypatch.setitem(sys.modules, name, pyflink)
    module = importlib.import_module("flink_jobs.room_events.statements")
    monkeypatch.setattr(module, "assign_uids", lambda env, prefix: env.append(prefix))
    return module


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "lake" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(module: Any, *folders: Path) -> tuple[list[str], list[str]]:
    tables, prefixes = Tables(), []
    settings = Settings(stream_name="s", warehouse="w", namespace="mine")
    module.Statements(prefixes, tables, settings, folders).insert("lake")
    return tables.ran, prefixes


def test_a_jobs_own_statements_run_in_the_order_of_their_names(statements: ModuleType, tmp_path: Path):
    own = write(tmp_path / "own", insert_b="b of $namespace", insert_a="a", create_c="c")
    assert run(statements, own) == (["c", "a", "b of mine"], ["lake.a", "lake.b"])


def test_a_statement_of_an_earlier_folder_takes_the_place_of_one_of_the_same_name(
    statements: ModuleType, tmp_path: Path
):
    own = write(tmp_path / "own", insert_b="b", insert_a="a")
    other = write(tmp_path / "other", create_a="table a", insert_b="another b")
    assert run(statements, other, own) == (["table a", "a", "another b"], ["lake.a", "lake.b"])


def test_a_missing_statement_is_named(statements: ModuleType, tmp_path: Path):
    settings = Settings(stream_name="s", warehouse="w")
    with pytest.raises(FileNotFoundError, match=r"nothing\.sql"):
        statements.Statements([], Tables(), settings, [tmp_path / "a", tmp_path / "b"]).read("lake/nothing.sql")
