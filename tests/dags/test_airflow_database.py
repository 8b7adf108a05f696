"""Airflow's database on this machine: whoever writes after reading waits for others instead of failing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from codewave.local.airflow_database import create_metadata_engine

WAIT_S = 30


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database in the mode that Airflow sets."""
    made = tmp_path / "airflow.db"
    with closing(sqlite3.connect(made)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (name TEXT)")
    return made


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    found = create_metadata_engine(f"sqlite:///{file}?timeout={WAIT_S}", engine_args={}, connect_args={})
    yield found
    found.dispose()


def write(file: Path, name: str) -> None:
    with closing(sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)) as database:
        database.execute("INSERT INTO runs VALUES (?)", [name])


def test_what_reads_and_then_writes_keeps_other_writers_waiting(file: Path, engine: Engine) -> None:
    other = threading.Thread(target=write, args=(file, "other"))
    with Session(engine) as session, session.begin_nested():
        assert session.scalar(text("SELECT count(*) FROM runs")) == 0
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits"
        session.execute(text("INSERT INTO runs VALUES ('ours')"))
        session.commit()
    other.join(WAIT_S)
    with Session(engine) as session:
        assert session.scalars(text("SELECT name FROM runs ORDER BY rowid")).all() == ["ours", "other"]


def test_a_savepoint_within_what_has_written_begins_nothing_anew(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(text("INSERT INTO runs VALUES ('first')"))
        with session.begin_nested():
            session.execute(text("INSERT INTO runs VALUES ('second')"))
        with session.begin_nested() as undone:
            session.execute(text("INSERT INTO runs VALUES ('third')"))
            undone.rollback()
        session.commit()
        assert session.scalars(text("SELECT name FROM runs ORDER BY rowid")).all() == ["first", "second"]


def test_what_only_reads_keeps_nobody_waiting(file: Path, engine: Engine) -> None:
    with Session(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM runs")) == 0
        write(file, "other")
        assert session.scalar(text("SELECT count(*) FROM runs")) == 1
