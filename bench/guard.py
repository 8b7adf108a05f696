"""The guard: which figures became worse than the committed ones of the same kind of machine."""

import statistics
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from bench.results import CPU, EVENTS_PER_S, US_PER_EVENT, Result, result_name

TOLERATED: Final = 0.15
"""Share by which a figure may be worse than the worst of the runs that were committed."""
_GUARDED: Final = (EVENTS_PER_S, US_PER_EVENT)
_NOT_OURS: Final = frozenset(
    {
        "sql-discard", "sql-iceberg", "sql-iceberg-search", "pyflink-discard", "pyflink-iceberg", "decode", "postgres",
    }
)  # fmt: skip
"""Contenders that run nothing of this project's stream."""
_MACHINE: Final = frozenset(result_name(contender, CPU) for contender in _NOT_OURS)
_ENOUGH: Final = 3
"""Of them, to tell by how much the machine itself is slower."""


class Slower(Struct, frozen=True):
    """A figure that became worse by more than is tolerated."""

    name: str
    unit: str
    before: float
    """The median that was committed."""
    now: float
    """The median of this run."""

    @property
    def contender(self) -> str:
        """Whose figure it is."""
        return self.name.partition(": ")[0]

    @property
    def is_ours(self) -> bool:
        """Whether a change of ours can have done it, rather than the machine."""
        return self.contender not in _NOT_OURS

    def __str__(self) -> str:
        change = self.now / self.before - 1
        return f"{self.name}: {self.now:,.4g} {self.unit}, was {self.before:,.4g} ({change:+.0%})"


def drift(results: Iterable[Result], before: Iterable[Result]) -> float:
    """How many times as much CPU time the machine takes as it did for the committed results; at least 1.

    It is the median over the contenders that run nothing of ours: what has become slower for them, no change of ours
    did. 1 where too few of them ran.
    """
    found = [result.value / old.value for result, old in _pairs(results, before) if result.name in _MACHINE]
    return max(1.0, statistics.median(found)) if len(found) >= _ENOUGH else 1.0


def slower(results: Iterable[Result], before: Iterable[Result], drifted: float = 1.0) -> list[Slower]:
    """Name what became slower by more than 15 % beyond its spread.

    Throughput and CPU time per event are guarded: the best of the runs has to be worse by more than that than the worst
    of the committed ones, since whatever else the machine does makes runs slower and none quicker. Figures of another
    kind of machine, and those that were not there before, are passed over.

    :param drifted: by how much the machine itself is slower (:func:`drift`), which is allowed for.
    """
    return [
        Slower(result.name, result.unit, old.value, result.value)
        for result, old in _pairs(results, before)
        if result.unit in _GUARDED and _is_worse(result, old, drifted)
    ]


def _pairs(results: Iterable[Result], before: Iterable[Result]) -> Iterator[tuple[Result, Result]]:
    """Each figure with the committed one of the same kind of machine, if there is one; comparisons are no figures."""
    known = {(old.name, old.machine): old for old in before if old.baseline is None}
    for result in results:
        old = known.get((result.name, result.machine))
        if old is not None and result.baseline is None:
            yield result, old


def _is_worse(result: Result, old: Result, drifted: float) -> bool:
    if result.unit == EVENTS_PER_S:
        return _highest(result) * drifted < _lowest(old) * (1 - TOLERATED)
    return _lowest(result) / drifted > _highest(old) * (1 + TOLERATED)


def _lowest(result: Result) -> float:
    return result.value if result.low is None else result.low


def _highest(result: Result) -> float:
    return result.value if result.high is None else result.high
