"""The suite that scales: the job and its functions alone, with other records, rooms, subtasks and processes."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from bench.contender import SHORTEST_S, Contender, Measurement
from bench.engineless import engineless_contenders
from bench.input import Input, InputSpec
from bench.results import PER_CORE, THROUGHPUT, Comparison
from bench.suite import Outcome, Plan, measure
from codewave.local.settings import LocalSettings

FLAT: Final = 1 / 1.15
"""An event may cost 15 % more than where it is compared with."""

REFERENCE: Final = InputSpec(events=0, lines=False)
"""Records of 50 events, 200 rooms, one file; the mode says how many events."""
_SLOW: Final = 3
"""So many times fewer events than side by side, where no tenth matters: each point has an input of its own. With so
few Java compiles for a third of the time, and most of 5,000 rooms have their first record in what is measured."""
_TO_BE_TOLD_APART: Final = 2
"""Runs of the points that have a goal: two runs of one point differ by up to a tenth."""


class Variant:
    """A contender with an input of its own.

    :param instead_of: whose processes end before each run, as these do after it: both would need the same ports.
    :param least_runs: however little time there is.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a point differs by
        self,
        name: str,
        title: str,
        inner: Contender,
        spec: InputSpec,
        slow: int = 1,
        instead_of: Contender | None = None,
        least_runs: int = 1,
    ) -> None:
        self.name = name
        self.title = title
        self.slow = slow
        self.least_runs = least_runs
        self.spec = spec
        self.shortest_s = getattr(inner, "shortest_s", SHORTEST_S)
        self._inner = inner
        self._instead_of = instead_of

    def run(self, data: Input) -> Measurement:
        """Process ``data`` once, from nothing.

        :raises ContenderError: where the contender cannot.
        """
        if self._instead_of is None:
            return self._inner.run(data)
        self._instead_of.close()
        try:
            return self._inner.run(data)
        finally:
            self.close()

    def close(self) -> None:
        """End what runs were started for; another variant that shares it starts it again."""
        self._inner.close()


class _Change(Struct, frozen=True):
    """How an input differs from the reference."""

    name: str
    told: str
    spec: InputSpec
    slow: int = 1
    least_runs: int = 1


def _spec(**changes: float) -> InputSpec:
    return msgspec.structs.replace(REFERENCE, **changes)


_CHANGES: Final = (
    _Change("records-50", "records of 50, 200 rooms", REFERENCE, least_runs=_TO_BE_TOLD_APART),
    _Change("records-1", "records of 1", _spec(events_per_record=1), slow=4 * _SLOW),
    _Change("records-10", "records of 10", _spec(events_per_record=10), slow=_SLOW),
    _Change("records-200", "records of 200", _spec(events_per_record=200), slow=_SLOW),
    _Change("5000-rooms", "5,000 rooms", _spec(rooms=5_000), least_runs=_TO_BE_TOLD_APART),
    _Change("hot-room", "a hot room with 20 % of all", _spec(hot_share=0.2), least_runs=_TO_BE_TOLD_APART),
)
_OURS: Final = "ours-discard"
_FUNCTIONS: Final = "functions"


def variants() -> list[Variant]:
    """Every measured point, in the order of the table; nothing is started yet."""
    functions = next(one for one in engineless_contenders() if one.name == _FUNCTIONS)
    found = [_varied(functions, "Our functions", change) for change in _CHANGES]
    try:
        from bench.flink_contenders import flink_contenders
    except ModuleNotFoundError as error:
        if error.name != "bench.flink_contenders":
            raise
        return found

    def ours(task_managers: int, slots: int) -> Contender:
        return next(one for one in flink_contenders(task_managers, slots) if one.name == _OURS)

    single = ours(1, 1)
    found += [_varied(single, "This pipeline", change) for change in _CHANGES]
    return found + _parallel(ours, single)


def _varied(inner: Contender, told: str, change: _Change) -> Variant:
    name, title = f"{inner.name}/{change.name}", f"{told}: {change.told}"
    return Variant(name, title, inner, change.spec, change.slow, least_runs=change.least_runs)


def _parallel(ours: Callable[[int, int], Contender], single: Contender) -> list[Variant]:
    spec = _spec(partitions=2)
    return [
        Variant(f"{_OURS}/{name}", f"This pipeline: 2 subtasks{told}", inner, spec, instead_of=single)
        for name, told, inner in (
            ("2-subtasks", " in one process", ours(1, 2)),
            ("2-processes", ", each in a process", ours(2, 1)),
        )
    ]


def comparisons() -> list[Comparison]:
    """What is compared with the reference of each."""
    found = []
    for name in (_FUNCTIONS, _OURS):
        reference = f"{name}/{_CHANGES[0].name}"
        found += [Comparison(f"{name}/{change.name}", reference, None, PER_CORE) for change in _CHANGES[1:4]]
        found += [Comparison(f"{name}/{change.name}", reference, FLAT, PER_CORE) for change in _CHANGES[4:]]
    reference = f"{_OURS}/{_CHANGES[0].name}"
    return [
        *found,
        Comparison(f"{_OURS}/2-subtasks", reference, None, THROUGHPUT),
        Comparison(f"{_OURS}/2-processes", reference, None, THROUGHPUT),
    ]


class Scaling:
    """The suite."""

    name = "scaling"
    title = "Scaling"
    share = 0.2
    apart = False

    def contenders(self, settings: LocalSettings) -> list[Variant]:  # noqa: ARG002 -- the contenders read their own
        """Every measured point, in the order of the table."""
        return variants()

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:
        """Run every point in turns, and compare with the reference."""
        specs = {one.name: one.spec for one in taking_part if isinstance(one, Variant)}
        return measure(plan, taking_part, lambda contender: specs[contender.name], comparisons())
