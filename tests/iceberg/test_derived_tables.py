"""Each derived table gives the expected rows: a folder of input rows and expected rows for every case."""

from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
import sqlglot
import yaml
from derived_lake import DEFINITIONS, DERIVED, held, lake_with, put, quick_catalog
from pyiceberg.catalog.sql import SqlCatalog
from sqlglot import exp

from codewave.errors import CodewaveError
from iceberg.athena import source_tables
from iceberg.definition import TABLES_FOLDER, TableDefinition
from iceberg.derive import derive
from iceberg.derive.interval import interval_of

CASES: Final = sorted(path.parent for path in TABLES_FOLDER.glob("*/tests/*/interval.yml"))

ALIKE: Final = frozenset(
    {"ABS", "CASE", "CAST", "COALESCE", "COUNT", "DATE_ADD", "LENGTH", "MAX", "MIN", "ROUND", "ROW_NUMBER", "SUM"}
    | {"TO_UNIXTIME", "UNNEST", "AND", "OR"}
)
"""Functions that answer alike in Trino and DuckDB for what is given to them here."""

_namespaces = count(1)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def catalog(warehouse: Path) -> SqlCatalog:
    return quick_catalog(warehouse)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(case: Path) -> str:
    return f"{case.parent.parent.name}/{case.name}"


def plain(value: Any) -> Any:
    """YAML gives a time without a zone where the zone is Z; both are UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def in_interval(rows: list[dict[str, Any]], column: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    def inside(value: Any) -> bool:
        when = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
        return start <= when < end

    return [row for row in rows if inside(row[column])]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_case_gives_its_expected_rows_and_a_second_run_changes_nothing(
    case: Path, catalog: SqlCatalog, warehouse: Path
) -> None:
    definition = DEFINITIONS[case.parent.parent.name]
    lake = lake_with(catalog, warehouse / "warehouse", definition.name, namespace=f"case{next(_namespaces)}")
    files = {path.stem: path for path in case.glob("*.yml")}
    asked, expected = read(files.pop("interval")), read(files.pop("expected"))
    for table, path in files.items():
        put(lake, table, *read(path))
    interval = interval_of(definition.interval or "day", plain(asked["start"]))

    if isinstance(expected, dict):
        with pytest.raises(CodewaveError, match=expected["refused"]):
            derive(lake, definition.name, interval)
        return
    first = derive(lake, definition.name, interval)
    again = derive(lake, definition.name, interval)

    rows = in_interval(held(lake, definition.name), definition.interval_column, interval.start, interval.end)
    named = [{key: plain(row[key]) for key in wanted} for row, wanted in zip(rows, expected, strict=False)]
    assert named == [{key: plain(value) for key, value in row.items()} for row in expected]
    assert len(rows) == len(expected) == first.rows
    assert again.snapshot_id is None


@pytest.mark.parametrize("definition", DERIVED, ids=lambda one: one.name)
def test_every_derived_table_has_cases_and_checks(definition: TableDefinition) -> None:
    assert len([case for case in CASES if case.parent.parent.name == definition.name]) >= 2
    assert any(check.severity == "block" for check in definition.checks)


@pytest.mark.parametrize("definition", DERIVED, ids=lambda one: one.name)
@pytest.mark.parametrize("dialect", ["athena", "trino"])
def test_a_query_is_one_select_in_athenas_dialect_and_avoids_what_engines_see_differently(
    definition: TableDefinition, dialect: str
) -> None:
    for sql in (definition.query, *(check.sql for check in definition.checks)):
        (tree,) = sqlglot.parse(sql, read=dialect)
        assert isinstance(tree, exp.Query)
        assert not list(tree.find_all(exp.Star)) or all(
            isinstance(one.parent, exp.Count) for one in tree.find_all(exp.Star)
        )
        assert sqlglot.parse_one(tree.sql(dialect), read=dialect) == tree
        assert {written(one) for one in tree.find_all(exp.Func) if not isinstance(one, exp.If)} <= ALIKE


def written(function: exp.Func) -> str:
    """The name that a function has in Trino."""
    names = {exp.TimeToUnix: "TO_UNIXTIME", exp.DateAdd: "DATE_ADD"}
    if isinstance(function, exp.Anonymous):
        return str(function.name).upper()
    return names.get(type(function), function.sql_name())


@pytest.mark.parametrize("definition", DERIVED, ids=lambda one: one.name)
def test_every_source_says_which_intervals_it_touches(definition: TableDefinition) -> None:
    sources = {source for source in source_tables(definition.query) if source != definition.name}
    assert set(definition.touched_by) == sources
    for source, touch in definition.touched_by.items():
        columns = {column.name for column in DEFINITIONS[source].columns}
        assert touch.time.split("[].")[0] in columns | {""}
        assert {touch.same_in_table, touch.same_in_source} <= columns | {""}


def test_dates_in_cases_are_dates() -> None:
    assert isinstance(plain(read(CASES[0] / "interval.yml")["start"]), date)
