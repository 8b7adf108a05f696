"""Suites: what a table promises, in the form that Great Expectations reads, without importing it.

``expectations/<table>.yml`` holds one suite: ``ExpectationSuite(**yaml.safe_load(text))`` loads it as it is. What we
add is in ``meta``, which Great Expectations keeps and does not look at.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml
from msgspec import Struct

from codewave.errors import WrongUseError
from iceberg.definition import TABLES_FOLDER

SUITES_FOLDER: Final = TABLES_FOLDER.parent / "expectations"

Severity = Literal["block", "warn"]

KEY_TYPES: Final = frozenset({"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"})
"""Need all rows at once: narrowed by SQL to the rows that share their key (docs/decisions/0022-data-quality.md)."""

COUNT_TYPES: Final = frozenset({"expect_table_row_count_to_be_between"})
"""Their observed values add up over chunks."""

ROW_TYPES: Final = frozenset(
    {
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_between",
        "expect_column_values_to_match_regex",
        "expect_column_value_lengths_to_be_between",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_a_to_be_greater_than_b",
    }
)
"""Judge each row on its own, so that their counts add up over chunks."""

NOT_NULL: Final = "expect_column_values_to_not_be_null"


class ExpectationMeta(Struct, frozen=True, forbid_unknown_fields=True):
    """What we say about an expectation."""

    severity: Severity
    """``block``: a failure closes the gate. ``warn``: it is logged."""
    why: str
    """What goes wrong where it does not hold, for a person."""


class RowCondition(Struct, frozen=True, forbid_unknown_fields=True):
    """Great Expectations' own form of a condition that one column fulfils."""

    type: Literal["comparison"]
    column: dict[Literal["name"], str]
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN"]
    parameter: str | int | list[str]

    @property
    def shown(self) -> str:
        """The values that are compared with, for a person."""
        return ", ".join(self.parameter) if isinstance(self.parameter, list) else str(self.parameter)


class Expectation(Struct, frozen=True, forbid_unknown_fields=True):
    """One expectation of a suite."""

    type: str
    kwargs: dict[str, Any]
    meta: ExpectationMeta

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it judges, without those of its condition."""
        named = [self.kwargs.get(name) for name in ("column", "column_A", "column_B")]
        return (*(name for name in named if name), *self.kwargs.get("column_list", ()))

    @property
    def condition(self) -> str | None:
        """Only rows for which this holds are judged; in words."""
        given = self._condition
        return None if given is None else f"{given.column['name']} {given.operator} {given.shown}"

    @property
    def _condition(self) -> "RowCondition | None":
        given = self.kwargs.get("row_condition")
        return None if given is None else msgspec.convert(given, RowCondition)

    @property
    def id(self) -> str:
        """Its name within the suite: what results and failing rows are filed under."""
        text = f"{self.type.removeprefix('expect_').removeprefix('column_')}({', '.join(self.columns)})"
        return f"{text} where {self.condition}" if self.condition else text

    def all_columns(self) -> set[str]:
        """Every column that it reads."""
        given = self._condition
        return {*self.columns, *((given.column["name"],) if given else ())}


class SuiteMeta(Struct, frozen=True, forbid_unknown_fields=True):
    """What we say about a suite."""

    key: tuple[str, ...]
    """Columns that find a row again; kept with every failing one."""
    computed: dict[str, str] = {}
    """Columns that are not in the table but follow from it: name → pandas expression over columns."""


class Suite(Struct, frozen=True, forbid_unknown_fields=True):
    """What one table promises."""

    name: str
    """The table's."""
    meta: SuiteMeta
    expectations: tuple[Expectation, ...]

    def columns(self, expectations: Iterable[Expectation] | None = None) -> set[str]:
        """Every column of the table that some expectations need, all by default, and those of the key."""
        asked = self.expectations if expectations is None else tuple(expectations)
        used = set(self.meta.key).union(*(one.all_columns() for one in asked))
        inputs = {name for expression in self.computed(asked).values() for name in names(expression)}
        return (used - set(self.meta.computed)) | inputs

    def computed(self, expectations: Iterable[Expectation]) -> dict[str, str]:
        """The computed columns that some expectations need."""
        used = {name for one in expectations for name in one.all_columns()}
        return {name: expression for name, expression in self.meta.computed.items() if name in used}


def names(expression: str) -> set[str]:
    """Columns that a pandas expression reads."""
    return {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}


def read_suite(table: str, folder: Path = SUITES_FOLDER) -> Suite:
    """Read a table's suite.

    :raises WrongUseError: if there is none, or it says something that cannot be, with its place.
    """
    place = f"expectations/{table}.yml"
    try:
        values = yaml.safe_load((folder / f"{table}.yml").read_text(encoding="utf-8"))
        suite = msgspec.convert(values, Suite)
        _check(suite, table)
    except FileNotFoundError:
        raise WrongUseError(f"{place}: no such file; every table has a suite") from None
    except yaml.YAMLError as error:
        raise WrongUseError(f"{place}: not YAML: {error}") from None
    except (ValueError, SyntaxError) as error:  # msgspec.ValidationError is a ValueError
        raise WrongUseError(f"{place}: {error}") from None
    return suite


def suite_names(folder: Path = SUITES_FOLDER) -> list[str]:
    """Tables that have a suite."""
    return sorted(path.stem for path in folder.glob("*.yml"))


def _check(suite: Suite, table: str) -> None:
    if suite.name != table:
        raise ValueError(f"name is {suite.name!r}; it must be the file's, {table!r}")
    for problem in _problems(suite):
        raise ValueError(problem)


def _problems(suite: Suite) -> Iterator[str]:
    seen: set[str] = set()
    for one in suite.expectations:
        if one.type not in KEY_TYPES | COUNT_TYPES | ROW_TYPES:
            yield f"{one.type} cannot be judged in chunks; use one of iceberg/quality/suite.py's types"
        if one.condition and one.type in KEY_TYPES:
            yield f"{one.id}: uniqueness takes no row_condition"
        if one.id in seen:
            yield f"{one.id} is there twice"
        one.all_columns()  # a wrong condition shows here
        seen.add(one.id)
