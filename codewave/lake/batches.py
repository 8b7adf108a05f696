"""Records lost between a collector and the stream: its batch numbers are contiguous, so what is missing is seen."""

from itertools import groupby
from typing import Any, Final

from msgspec import Struct

_RANGES: Final = 5
"""Ranges of a collector told in words."""


class MissingBatches(Struct, frozen=True):
    """Contiguous batch numbers of a collector of which no record came, or none whose header could be read."""

    collector: str
    first: int
    last: int

    @property
    def records(self) -> int:
        """How many."""
        return self.last - self.first + 1


def read_missing(rows: list[list[Any]], *, whole: bool) -> list[MissingBatches]:
    """The answer of ``missing_batches.sql``.

    :param whole: the audit was asked for all it has; else numbers before the first that came are older, not missing.
    """
    return [found for row in rows if (found := MissingBatches(*row)).first > 1 or whole]


def missing_in_words(missing: list[MissingBatches]) -> dict[str, int]:
    """Per collector what is missing, in words, with how many records."""
    problems = {}
    for collector, found in groupby(missing, key=lambda one: one.collector):
        ranges = list(found)
        shown = ", ".join(_range(one) for one in ranges[:_RANGES]) + (", …" if len(ranges) > _RANGES else "")
        records = sum(one.records for one in ranges)
        problems[f"collector {collector}: {records} records missing, batches {shown}"] = records
    return problems


def _range(missing: MissingBatches) -> str:
    return f"{missing.first}" if missing.first == missing.last else f"{missing.first}-{missing.last}"
