"""The guard: which figures became worse than the committed ones of the same kind of machine."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from bench.results import EVENTS_PER_S, US_PER_EVENT, Result

TOLERATED: Final = 0.15
"""Share by which a figure may be worse than the worst of the runs that were committed."""
_GUARDED: Final = (EVENTS_PER_S, US_PER_EVENT)


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

    def __str__(self) -> str:
        change = self.now / self.before - 1
        return f"{self.name}: {self.now:,.4g} {self.unit}, was {self.before:,.4g} ({change:+.0%})"


def slower(results: Iterable[Result], before: Iterable[Result]) -> list[Slower]:
    """Name what became slower by more than 15 % beyond its spread.

    Throughput and CPU time per event are guarded: the best of the runs has to be worse by more than that than the worst
    of the committed ones, since whatever else the machine does makes runs slower and none quicker. Figures of another
    kind of machine, and those that were not there before, are passed over.
    """
    known = {(old.name, old.machine): old for old in before if old.baseline is None}
    found = []
    for result in results:
        old = known.get((result.name, result.machine))
        if old is None or result.baseline is not None or result.unit not in _GUARDED:
            continue
        if _is_worse(result, old):
            found.append(Slower(result.name, result.unit, old.value, result.value))
    return found


def _is_worse(result: Result, old: Result) -> bool:
    if result.unit == EVENTS_PER_S:
        return _highest(result) < _lowest(old) * (1 - TOLERATED)
    return _lowest(result) > _highest(old) * (1 + TOLERATED)


def _lowest(result: Result) -> float:
    return result.value if result.low is None else result.low


def _highest(result: Result) -> float:
    return result.value if result.high is None else result.high
