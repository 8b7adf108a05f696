"""Which columns a query's columns come from, read from its SQL by sqlglot."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from codewave.errors import CodewaveError
from iceberg.definition import Column, TableDefinition

How = Literal["same", "computed", "aggregated", "decoded"]
"""``decoded``: by the stream's Python functions, out of the record."""

_STRENGTH: Final[dict[How, int]] = {"same": 0, "computed": 1, "aggregated": 2, "decoded": 3}
_TYPES: Final[dict[str, str]] = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "binary": "VARBINARY",
}

Schema = dict[str, dict[str, str]]
"""Table → column → type in Athena's words."""


class Field(Struct, frozen=True, order=True):
    """A column of a dataset."""

    dataset: str
    column: str


class ColumnEdge(Struct, frozen=True, order=True):
    """One column comes from another one."""

    source: Field
    target: Field
    how: How


def schema_of(definitions: Iterable[TableDefinition]) -> Schema:
    """Columns of the tables, as sqlglot wants to know them."""
    return {one.name: {column.name: _type(column) for column in one.columns} for one in definitions}


def column_edges(target: str, sql: str, schema: Schema, dialect: str = "athena") -> tuple[ColumnEdge, ...]:
    """Edges into the columns of ``target`` that one SELECT fills.

    A column that counts rows or is a constant has none. Columns that only filter, join or group are not told.

    :param schema: of every table that the query reads.
    :raises CodewaveError: where the SQL cannot be followed, with what stops it.
    """
    try:
        columns = lineage(None, sql, schema, dialect=dialect)
    except (SqlglotError, ValueError) as error:
        raise CodewaveError(
            f"lineage of {target}: {str(error).splitlines()[0]}; see iceberg/{target}/query.sql"
        ) from None
    found: dict[tuple[Field, Field], How] = {}
    for name, node in columns.items():
        for source, how in _leaves(node, "same"):
            edge = source, Field(target, name)
            found[edge] = max(found.get(edge, how), how, key=_STRENGTH.__getitem__)
    return tuple(sorted(ColumnEdge(source, goal, how) for (source, goal), how in found.items()))


def _leaves(node: Node, how: How) -> Iterator[tuple[Field, How]]:
    if isinstance(node.expression, exp.Table):
        yield Field(node.expression.name, node.name.rsplit(".", 1)[-1]), how
        return
    stronger = max(how, _how(node.expression), key=_STRENGTH.__getitem__)
    for below in node.downstream:
        yield from _leaves(below, stronger)


def _how(expression: exp.Expr) -> How:
    plain = expression.unalias()
    if plain.find(exp.AggFunc):
        return "aggregated"
    return "same" if isinstance(plain, exp.Column | exp.Query | exp.Unnest | exp.Star) else "computed"


def _type(column: Column) -> str:
    if column.type != "list":
        return _TYPES[column.type]
    fields = ", ".join(f'"{field.name}" {_type(field)}' for field in column.fields)
    return f"ARRAY(ROW({fields}))"
