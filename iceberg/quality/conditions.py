"""Conditions of pyiceberg's scans and overwrites.

Its predicates take a column's name and a value; as pydantic models they tell type checkers of fields instead. So they
are called here and nowhere else in this package.
"""

from collections.abc import Iterable
from typing import Any

from pyiceberg import expressions
from pyiceberg.expressions import BooleanExpression

_predicates: Any = expressions


def equal(column: str, value: str) -> BooleanExpression:
    """The column has this value; a time or day in ISO 8601."""
    return _expression(_predicates.EqualTo(column, value))


def between(column: str, start: str, end: str) -> BooleanExpression:
    """The column is at ``start`` or after it, and before ``end``; times or days in ISO 8601."""
    at_least = _predicates.GreaterThanOrEqual(column, start)
    return _expression(_predicates.And(at_least, _predicates.LessThan(column, end)))


def empty(column: str) -> BooleanExpression:
    """The column has no value."""
    return _expression(_predicates.IsNull(column))


def one_of(column: str, values: Iterable[str]) -> BooleanExpression:
    """The column has one of these values."""
    return _expression(_predicates.In(column, set(values)))


def _expression(made: BooleanExpression) -> BooleanExpression:
    return made
