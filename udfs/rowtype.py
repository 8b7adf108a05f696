"""The SQL type of each output, from the annotations of its row."""

import types
import typing
from typing import Any

from udfs.rows import Row

_SQL_TYPES = {str: "STRING", int: "BIGINT", bool: "BOOLEAN"}


def sql_type(annotation: Any) -> str:
    """The Flink SQL type of a row's field.

    :raises TypeError: for an annotation that no column can have.
    """
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return str(annotation.__metadata__[0].extra["sql"])
    if origin in {types.UnionType, typing.Union}:
        (known,) = (part for part in typing.get_args(annotation) if part is not types.NoneType)
        return sql_type(known)
    if origin is list:
        return f"ARRAY<{sql_type(typing.get_args(annotation)[0])}>"
    if isinstance(annotation, type) and issubclass(annotation, Row):
        return row_type(annotation)
    if annotation in _SQL_TYPES:
        return _SQL_TYPES[annotation]
    raise TypeError(f"no SQL type for {annotation}")


def columns(row: type[Row]) -> dict[str, str]:
    """Column name → SQL type, in the order in which the row is encoded."""
    hints = typing.get_type_hints(row, include_extras=True)
    return {name: sql_type(hints[name]) for name in row.__struct_fields__}


def row_type(row: type[Row]) -> str:
    """The row as one SQL type: ``ROW<`event_id` STRING, …>``."""
    return "ROW<" + ", ".join(f"`{name}` {kind}" for name, kind in columns(row).items()) + ">"
