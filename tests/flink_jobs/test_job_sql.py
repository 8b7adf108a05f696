"""The job's SQL files name every column of what they read and write, in order."""

import re
from pathlib import Path

import pytest

import flink_jobs.room_events
from codewave.contract.events import EVENT_TYPES
from udfs.route import ROUTES
from udfs.rows import LAKE_OUTPUTS, OUTPUTS
from udfs.rowtype import columns

SQL = Path(flink_jobs.room_events.__file__).parent / "sql"
INDICES = sorted(file.stem.removeprefix("insert_") for file in (SQL / "search").glob("insert_*.sql"))


def statement(sink: str, name: str) -> str:
    lines = (SQL / sink / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def top_level(text: str) -> list[str]:
    """Parts of a list, without cutting inside brackets."""
    parts, depth, part = [], 0, ""
    for letter in text:
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return [*parts, part.strip()]


def selected(sql: str) -> tuple[list[str], str]:
    """Names of the selected columns, and the view they come from."""
    found = re.fullmatch(r"INSERT INTO \S+\s+SELECT\s+(.*)\s+FROM (\w+)", sql.strip(), re.DOTALL)
    assert found, sql
    return [part.rsplit("`", 2)[1] for part in top_level(found[1])], found[2]


def declared(sql: str) -> list[str]:
    """Names of a table's columns, its primary key left out."""
    body = sql[sql.index("(") + 1 : sql.index(") WITH")]
    return [part.split("`")[1] for part in top_level(body) if part.startswith("`")]


def test_every_lake_output_has_an_insert():
    assert {file.stem.removeprefix("insert_") for file in (SQL / "lake").glob("*.sql")} == set(LAKE_OUTPUTS)


@pytest.mark.parametrize("output", sorted(LAKE_OUTPUTS))
def test_an_insert_into_the_lake_takes_every_column_of_its_output(output: str):
    names, view = selected(statement("lake", f"insert_{output}"))
    assert (view, names) == (output, list(columns(OUTPUTS[output])))


@pytest.mark.parametrize("index", INDICES)
def test_an_insert_into_an_index_takes_every_column_of_its_output_in_the_order_of_the_index(index: str):
    names, view = selected(statement("search", f"insert_{index}"))
    assert names == declared(statement("search", f"create_{index}")) == list(columns(OUTPUTS[view]))


def test_every_event_type_has_a_route_to_a_lake_output():
    assert set(ROUTES) == set(EVENT_TYPES)
    assert {output for output, _ in ROUTES.values()} <= set(LAKE_OUTPUTS)
