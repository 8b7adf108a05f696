"""Athena SQL: one read-only statement, checked, its parameters bound, and translated for DuckDB."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final, Literal

import sqlglot
from msgspec import Struct
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from codewave.errors import WrongUseError

SQL_CHARACTERS: Final = 100_000
"""Longest statement; Athena's own limit is 262,144 bytes."""

Parameter = datetime | date | int | str
"""A value for a ``:name`` of a statement; times are in UTC."""

_GLUE: Final = "awsdatacatalog"
_ALLOWED_TABLE_FUNCTIONS: Final = (exp.Unnest, exp.GenerateSeries, exp.Values)
_REFUSED: Final = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Copy, exp.Attach, exp.Set, exp.Pragma)
_NAME: Final = r"(?:(?P<schema>\w+)\.)?(?P<table>\w+)"
_SHOW: Final = re.compile(r"show\s+tables(?:\s+(?:in|from)\s+(?P<schema>\w+))?", re.IGNORECASE)
_DESCRIBE: Final = re.compile(rf"(?:describe|show\s+columns\s+(?:in|from))\s+{_NAME}", re.IGNORECASE)


class TableName(Struct, frozen=True):
    """A table of the lake as a statement names it, namespace filled in."""

    namespace: str
    table: str


class Statement(Struct, frozen=True):
    """What was asked."""

    kind: Literal["query", "show_tables", "describe"]
    tables: tuple[TableName, ...]
    """Tables that are read; for ``show_tables`` one with an empty table name."""
    sql: str = ""
    """The query in DuckDB's dialect, every table with its namespace."""


def translate(sql: str, namespace: str) -> Statement:
    """Check a statement in Athena's dialect and translate it for DuckDB.

    :param namespace: of tables that are named without one.
    :raises WrongUseError: if it is not one SELECT, WITH, SHOW TABLES or DESCRIBE, or reads more than the lake's tables.
    """
    text = sql.strip().removesuffix(";").strip()
    if len(text) > SQL_CHARACTERS:
        raise WrongUseError(f"query: {len(text)} characters; at most {SQL_CHARACTERS}")
    if match := _SHOW.fullmatch(text):
        return Statement("show_tables", (TableName(match["schema"] or namespace, ""),))
    if match := _DESCRIBE.fullmatch(text):
        return Statement("describe", (TableName(match["schema"] or namespace, match["table"]),))
    tree = _parse(text)
    _refuse_writes(tree)
    _refuse_table_functions(tree)
    tables = tuple(dict.fromkeys(_qualify(table, namespace) for table in _lake_tables(tree)))
    _expand_structs(tree)
    return Statement("query", tables, tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE))


def source_tables(sql: str) -> tuple[str, ...]:
    """Names of the tables that a SELECT reads, in the order in which it names them first.

    :raises WrongUseError: if it is not one SELECT over tables of the lake.
    """
    return tuple(dict.fromkeys(table.name.lower() for table in _lake_tables(parse_select(sql))))


def parse_select(sql: str, parameters: Mapping[str, Parameter] | None = None) -> exp.Expr:
    """A SELECT in Athena's dialect as a tree, each ``:name`` replaced by its value as a literal of its type.

    :param parameters: None leaves the names where they are.
    :raises WrongUseError: if it is not one SELECT over tables of the lake, or a name has no value.
    """
    tree = _parse(sql.strip().removesuffix(";"))
    _refuse_writes(tree)
    _refuse_table_functions(tree)
    for placeholder in list(tree.find_all(exp.Placeholder)) if parameters is not None else []:
        if parameters is None or placeholder.name not in parameters:
            raise WrongUseError(f"query: no value for :{placeholder.name}")
        placeholder.replace(_literal(parameters[placeholder.name]))
    return tree


def duckdb_sql(tree: exp.Expr, source: Callable[[str], exp.Expr]) -> str:
    """A tree of :func:`parse_select` in DuckDB's dialect, every table of the lake replaced by ``source(name)``."""
    for table in list(_lake_tables(tree)):
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
        table.replace(exp.Table(this=source(table.name.lower()), alias=alias.copy()))
    _expand_structs(tree)
    return tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def athena_sql(tree: exp.Expr, database: str, snapshots: Mapping[str, int]) -> str:
    """A tree of :func:`parse_select` for Athena itself: tables with their database, read at the snapshots given."""
    for table in list(_lake_tables(tree)):
        name = _qualify(table, database)
        if name.table in snapshots:
            snapshot = exp.Literal.number(snapshots[name.table])
            table.set("version", exp.Version(this="VERSION", kind="AS OF", expression=snapshot))
    return tree.sql("athena")


def _literal(value: Parameter) -> exp.Expr:
    match value:
        case datetime():
            text = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
            return exp.cast(exp.Literal.string(text), exp.DataType.build("TIMESTAMPTZ(6)"))
        case date():
            return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
        case int():
            return exp.Literal.number(value)
    return exp.Literal.string(value)


def _parse(text: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(text, read="athena")
    except SqlglotError as error:
        reason = re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0]
        raise WrongUseError(f"query: {reason}") from None
    if len(trees) != 1 or trees[0] is None:
        raise WrongUseError("query: give one statement")
    return trees[0]


def _refuse_writes(tree: exp.Expr) -> None:
    if not isinstance(tree, exp.Query) or tree.find(*_REFUSED) is not None:
        raise WrongUseError("query: only SELECT, WITH, SHOW TABLES and DESCRIBE; the lake is read-only here")


def _refuse_table_functions(tree: exp.Expr) -> None:
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, (exp.Identifier, *_ALLOWED_TABLE_FUNCTIONS)):
            raise WrongUseError(f"query: {table.sql('athena')} is not a table of the lake")


def _lake_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """Where a statement names a table of the lake, not a CTE of its own."""
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                yield source


def _qualify(table: exp.Table, namespace: str) -> TableName:
    if table.catalog and table.catalog.lower() != _GLUE:
        raise WrongUseError(f"query: {table.sql('athena')}: the lake's catalog is AwsDataCatalog")
    name = TableName((table.db or namespace).lower(), table.name.lower())
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    table.set("catalog", None)
    table.set("db", exp.to_identifier(name.namespace, quoted=True))
    table.set("this", exp.to_identifier(name.table, quoted=True))
    return name


def _expand_structs(tree: exp.Expr) -> None:
    """Rewrite ``UNNEST(array of rows) AS t(a, b)``, one column a field in Athena, one struct in DuckDB."""
    for unnest in list(tree.find_all(exp.Unnest)):
        alias = unnest.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or len(alias.columns) < 2 or len(unnest.expressions) != 1:
            continue
        if unnest.args.get("offset"):
            raise WrongUseError("query: WITH ORDINALITY over an array of rows is not supported here")
        rows = unnest.expressions[0].sql("duckdb")
        inner = sqlglot.parse_one(f"SELECT UNNEST({rows}, max_depth := 2)", read="duckdb")
        unnest.replace(exp.Lateral(this=exp.Subquery(this=inner), alias=alias.copy()))
