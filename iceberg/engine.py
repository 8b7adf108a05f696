"""Queries over the lake: the same SQL, run by DuckDB on this machine and by Athena on AWS."""

import importlib.util
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
from msgspec import Struct
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from codewave.errors import CodewaveError, WrongUseError
from codewave.local.settings import LocalSettings
from iceberg.athena import Statement, TableName, translate

if TYPE_CHECKING:
    import pyarrow as pa

_EXTENSIONS: Final = ("icu", "avro", "iceberg")
_MEMORY_LIMIT: Final = "2GB"
_WRONG_QUERY: Final = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
)


class QueryResult(Struct, frozen=True):
    """A query's answer: plain Python values, times in UTC."""

    columns: list[str]
    rows: list[list[Any]]


class Engine(Protocol):
    """Runs SQL over the tables of one namespace."""

    def query(self, sql: str) -> QueryResult:
        """Run one read-only statement in Athena's dialect.

        :raises WrongUseError: for a statement that is refused, wrong, or names a table that is not there.
        """


class DuckDbEngine:
    """DuckDB with its iceberg extension, over the files of a local warehouse.

    Every table is read at one snapshot a query: the newest metadata file when the query starts. Measured with 100,000
    rows in 320 files: 0.12 s for a count by hour, against 0.67 s for pyiceberg's scan to Arrow alone.
    """

    def __init__(self, catalog: Catalog, namespace: str, warehouse: Path) -> None:
        """Load DuckDB; it can read nothing but ``warehouse``, and changes nothing there."""
        self._catalog = catalog
        self._namespace = namespace
        self._connection = _connect(warehouse)
        self._pinned: dict[TableName, str] = {}

    def query(self, sql: str) -> QueryResult:
        """As :meth:`Engine.query`."""
        statement = translate(sql, self._namespace)
        if statement.kind == "show_tables":
            names = self._table_names(statement.tables[0].namespace)
            return QueryResult(["tab_name"], [[name] for name in names])
        if statement.kind == "describe":
            return _describe(self._load(statement.tables[0]))
        return self._run(statement)

    def _run(self, statement: Statement) -> QueryResult:
        try:
            for name in statement.tables:
                self._pin(name)
            return _result(self._connection.sql(statement.sql).to_arrow_table())
        except _WRONG_QUERY as error:
            raise WrongUseError(f"query: {str(error).splitlines()[0]}") from None
        except duckdb.Error as error:
            raise CodewaveError(f"query: {str(error).splitlines()[0]}") from error

    def _pin(self, name: TableName) -> None:
        location = self._load(name).metadata_location
        if self._pinned.get(name) == location:
            return
        schema, view = _quoted(name.namespace), f"{_quoted(name.namespace)}.{_quoted(name.table)}"
        path = location.replace("'", "''")
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self._connection.execute(f"CREATE OR REPLACE VIEW {view} AS FROM iceberg_scan('{path}')")
        self._pinned[name] = location

    def _load(self, name: TableName) -> Table:
        try:
            return self._catalog.load_table((name.namespace, name.table))
        except NoSuchTableError:
            known = ", ".join(self._table_names(name.namespace)) or "none"
            raise WrongUseError(f"query: no table {name.table!r} in {name.namespace}; its tables: {known}") from None

    def _table_names(self, namespace: str) -> list[str]:
        try:
            return sorted(table for _, table in self._catalog.list_tables(namespace))
        except NoSuchNamespaceError:
            raise WrongUseError(
                f"query: the lake has no namespace {namespace!r}; `codewave tables apply --namespace …` makes one"
            ) from None


def local_engine(settings: LocalSettings, namespace: str = "rooms") -> DuckDbEngine:
    """The engine over the local stack's lake.

    :raises CodewaveError: if the catalog is down.
    """
    from codewave.local.catalog import load_catalog

    return DuckDbEngine(load_catalog(settings), namespace, settings.warehouse)


def _connect(warehouse: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in _EXTENSIONS:
        connection.execute(f"LOAD '{_extension_file(name)}'")
    folder = str(warehouse.resolve()).replace("'", "''")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
    connection.execute("SET python_enable_replacements = false")
    connection.execute(f"SET allowed_directories = ['{folder}/', 'file://{folder}/']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _extension_file(name: str) -> Path:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        raise CodewaveError(f"query: package duckdb-extension-{name} is missing; run `uv sync`")
    folder = Path(spec.submodule_search_locations[0])
    return folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def _describe(table: Table) -> QueryResult:
    rows = [[field.name, str(field.field_type), field.doc or ""] for field in table.schema().fields]
    return QueryResult(["col_name", "data_type", "comment"], rows)


def _result(table: "pa.Table") -> QueryResult:
    columns = [_values(column.to_pylist()) for column in table.columns]
    return QueryResult(list(table.column_names), [list(row) for row in zip(*columns, strict=True)])


def _values(column: Sequence[Any]) -> Sequence[Any]:
    # DuckDB sums integers as 128-bit ones, which Arrow only has as decimals; Athena gives integers.
    if any(isinstance(value, Decimal) and value.as_tuple().exponent == 0 for value in column):
        return [int(value) if isinstance(value, Decimal) else value for value in column]
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
