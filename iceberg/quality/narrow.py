"""What SQL looks for, so that only suspicious rows are judged: shared keys, and nulls in columns that stay put.

Great Expectations judges uniqueness with all keys in memory. The engine finds the rows that share a key; those
are judged, and there are none as a rule.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from iceberg.derive.interval import Interval
from iceberg.lake import Lake
from iceberg.quality.rows import arrow_frame, leaves_the_engine
from iceberg.quality.scope import scope_of
from iceberg.quality.statements import statement
from iceberg.quality.suite import KEY_TYPES, NOT_NULL, Expectation, Suite

MOST_SUSPECTS: Final = 1_000
"""Rows that are fetched for one expectation; all are counted."""

_COPIES: Final = "copies"
_ALL_ROWS: Final = "all_rows"


class Suspects(Struct, frozen=True):
    """Rows that may break an expectation."""

    frame: Any
    """A pandas frame of some of them."""
    rows: int
    """How many there are in all."""


class Search(Struct, frozen=True):
    """Where suspects are looked for."""

    lake: Lake
    suite: Suite
    interval: Interval | None
    snapshot_id: int

    def is_narrowed(self, expectation: Expectation) -> bool:
        """Whether SQL finds what breaks this expectation."""
        if expectation.type in KEY_TYPES:
            return True
        columns = self.lake.definition(self.suite.name).columns
        kept = {column.name for column in columns if not leaves_the_engine(column)}
        return expectation.type == NOT_NULL and not kept.isdisjoint(expectation.columns)

    def suspects(self, expectation: Expectation) -> Suspects:
        """Find the rows that may break an expectation.

        :raises CodewaveError: as :meth:`iceberg.engine.Engine.select`.
        """
        return self._duplicates(expectation) if expectation.type in KEY_TYPES else self._nulls(expectation)

    def _duplicates(self, expectation: Expectation) -> Suspects:
        columns = expectation.columns
        # As Great Expectations sees it: a key without any value is none, one with some of them is one.
        present = " OR ".join(f"{name} IS NOT NULL" for name in columns)
        found = self._select("duplicates.sql", columns=",\n        ".join(columns), present=present)
        copies = pc.min_element_wise(pc.cast(found[_COPIES], pa.int64()), MOST_SUSPECTS).to_pylist()
        places = pa.array([place for place, times in enumerate(copies) for _ in range(times)], pa.int64())
        return Suspects(arrow_frame(found.select(list(columns)).take(places)), _total(found))

    def _nulls(self, expectation: Expectation) -> Suspects:
        (column,) = expectation.columns
        key = list(self.suite.meta.key)
        found = self._select("nulls.sql", columns=",\n    ".join(key), column=column)
        frame = found.select(key).append_column(column, pa.nulls(found.num_rows, pa.string()))
        return Suspects(arrow_frame(frame), _total(found))

    def _select(self, file: str, **parts: str) -> pa.Table:
        table = self.suite.name
        scope = scope_of(self.lake.definition(table))
        sql = statement(file, table=table, rows=scope.sql(self.interval), most=str(MOST_SUSPECTS), **parts)
        return self.lake.engine.select(sql, scope.parameters(self.interval), {table: self.snapshot_id})


def _total(found: pa.Table) -> int:
    return int(found[_ALL_ROWS][0].as_py()) if found.num_rows else 0
