"""Queries over the lake: the same SQL, run by DuckDB on this machine and by Athena on AWS."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
from msgspec import Struct
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table
from sqlglot import exp

from codewave.errors import CodewaveError, WrongUseError
from codewave.local.settings import LocalSettings
from iceberg.athena import Parameter, Statement, TableName, duckdb_sql, parse_select, translate

if TYPE_CHECKING:
    import pyarrow as pa

_TIME_ZONES: Final = "icu"
_EXTENSIONS: Final = ("avro", "iceberg")
MEMORY_LIMIT: Final = "2GB"
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

    def select(
        self, sql: str, parameters: Mapping[str, Parameter] | None = None, snapshots: Mapping[str, int] | None = None
    ) -> "pa.Table":
        """Run one SELECT in Athena's dialect, for programs.

        :param parameters: a value for each ``:name`` of the statement; bound as a literal of its type.
        :param snapshots: of tables that are to be read at a snapshot; the others are read at their newest.
        :returns: the rows; times in UTC with microseconds, integer sums as decimals without places.
        :raises WrongUseError: as :meth:`query`.
        :raises CodewaveError: if the engine fails; the message says what to do.
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
        if statement.kind != "query":
            return told_by_catalog(self._catalog, statement)
        return self._run(statement)

    def select(
        self, sql: str, parameters: Mapping[str, Parameter] | None = None, snapshots: Mapping[str, int] | None = None
    ) -> "pa.Table":
        """As :meth:`Engine.select`; may be called by several threads at once."""
        pinned = snapshots or {}
        tree = parse_select(sql, parameters or {})
        statement = duckdb_sql(tree, lambda table: self._scan(table, pinned.get(table)))
        with _named_errors(), self._connection.cursor() as cursor:
            return cursor.sql(statement).to_arrow_table()

    def _scan(self, table: str, snapshot_id: int | None) -> exp.Expr:
        metadata = load_table(self._catalog, TableName(self._namespace, table))
        arguments: list[exp.Expr] = [exp.Literal.string(metadata.metadata_location)]
        # Said only where it is an older one: its schema is older, too.
        if snapshot_id is not None and snapshot_id != metadata.metadata.current_snapshot_id:
            if metadata.snapshot_by_id(snapshot_id) is None:
                raise CodewaveError(f"query: snapshot {snapshot_id} of {table} is gone; run it again")
            arguments.append(exp.Kwarg(this=exp.var("snapshot_from_id"), expression=exp.Literal.number(snapshot_id)))
        return exp.Anonymous(this="iceberg_scan", expressions=arguments)

    def _run(self, statement: Statement) -> QueryResult:
        with _named_errors():
            for name in statement.tables:
                self._pin(name)
            return plain_values(self._connection.sql(statement.sql).to_arrow_table())

    def _pin(self, name: TableName) -> None:
        location = load_table(self._catalog, name).metadata_location
        if self._pinned.get(name) == location:
            return
        schema, view = _quoted(name.namespace), f"{_quoted(name.namespace)}.{_quoted(name.table)}"
        path = location.replace("'", "''")
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self._connection.execute(f"CREATE OR REPLACE VIEW {view} AS FROM iceberg_scan('{path}')")
        self._pinned[name] = location


def told_by_catalog(catalog: Catalog, statement: Statement) -> QueryResult:
    """The answer to SHOW TABLES or DESCRIBE, the same for every engine.

    :raises WrongUseError: if the namespace or table is not there.
    """
    name = statement.tables[0]
    if statement.kind == "show_tables":
        return QueryResult(["tab_name"], [[table] for table in _table_names(catalog, name.namespace)])
    fields = load_table(catalog, name).schema().fields
    rows = [[field.name, str(field.field_type), field.doc or ""] for field in fields]
    return QueryResult(["col_name", "data_type", "comment"], rows)


def load_table(catalog: Catalog, name: TableName) -> Table:
    """A table that a statement names.

    :raises WrongUseError: if it is not there, with those that are.
    """
    try:
        return catalog.load_table((name.namespace, name.table))
    except NoSuchTableError:
        known = ", ".join(_table_names(catalog, name.namespace)) or "none"
        raise WrongUseError(f"query: no table {name.table!r} in {name.namespace}; its tables: {known}") from None


def _table_names(catalog: Catalog, namespace: str) -> list[str]:
    try:
        return sorted(table for _, table in catalog.list_tables(namespace))
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


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except _WRONG_QUERY as error:
        raise WrongUseError(f"query: {str(error).splitlines()[0]}") from None
    except duckdb.Error as error:
        raise CodewaveError(f"query: {str(error).splitlines()[0]}") from error


def utc_connection(*extensions: str) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, its clock in UTC for every cursor, whatever the machine's zone is.

    :param extensions: loaded besides the one that knows time zones.
    """
    connection = duckdb.connect()
    for name in (_TIME_ZONES, *extensions):
        connection.execute(f"LOAD '{_extension_file(name)}'")
    # A cursor does not take over what was set for its connection alone.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _connect(warehouse: Path) -> duckdb.DuckDBPyConnection:
    connection = utc_connection(*_EXTENSIONS)
    folder = str(warehouse.resolve()).replace("'", "''")
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
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


def plain_values(table: "pa.Table") -> QueryResult:
    """Rows as plain Python values; sums of integers are integers."""
    columns = [_values(column.to_pylist()) for column in table.columns]
    return QueryResult(list(table.column_names), [list(row) for row in zip(*columns, strict=True)])


def _values(column: Sequence[Any]) -> Sequence[Any]:
    # DuckDB sums integers as 128-bit ones, which Arrow only has as decimals; Athena gives integers.
    if any(isinstance(value, Decimal) and value.as_tuple().exponent == 0 for value in column):
        return [int(value) if isinstance(value, Decimal) else value for value in column]
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
