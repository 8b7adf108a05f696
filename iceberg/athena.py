"""Athena SQL: one read-only statement, checked and translated for DuckDB."""

import re
from collections.abc import Iterator
from typing import Final, Literal

import sqlglot
from msgspec import Struct
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from codewave.errors import WrongUseError

SQL_CHARACTERS: Final = 100_000
"""Longest statement; Athena's own limit is 262,144 bytes."""

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
    tables = tuple(dict.fromkeys(_qualify_tables(tree, namespace)))
    _expand_structs(tree)
    return Statement("query", tables, tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE))


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


def _qualify_tables(tree: exp.Expr, namespace: str) -> Iterator[TableName]:
    for scope in traverse_scope(tree):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                yield _qualify(source, namespace)


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
