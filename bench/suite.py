"""A suite: measurements that belong together, and what a run of it is given and finds."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from bench import guard
from bench.contender import Contender
from bench.input import Input, InputSpec, prepared
from bench.progress import Progress
from bench.results import Comparison, Origin, Result, compared, of_contender
from bench.runner import Runs, run_again, run_in_turns
from codewave.errors import WrongUseError
from codewave.local.settings import LocalSettings


class Mode(Struct, frozen=True):
    """How thorough a run is."""

    name: str
    events: int
    """Of the input; contenders that are slow get a smaller one."""
    rounds: int
    """Runs of each contender; fewer, at least one, where the time is up."""
    budget_s: float
    """In which all suites together should end, with a reserve for the last run's end."""


SHORT: Final = Mode("short", events=320_000, rounds=3, budget_s=250)
FULL: Final = Mode("full", events=1_000_000, rounds=3, budget_s=1_700)
"""So many events that Java has compiled most of what is hot by the end of the warm-up, which takes it more than ten
seconds of two cores; in the short mode it has not, and its share of the CPU time is told."""
_AGAIN_S: Final = 40.0
"""After all others for contenders that seem to have become slower: a single run may have met a slow minute of the
machine, and what the guard says should be worth something."""


class Plan(Struct, frozen=True):
    """What a suite is given."""

    settings: LocalSettings
    mode: Mode
    progress: Progress
    where: Origin
    deadline: float
    """By :func:`time.monotonic`: after the first run of each contender, none begins that would not end before it."""
    before: list[Result] | None = None
    """What was committed of the suite, on this kind of machine."""


class Curve(Struct, frozen=True):
    """What is drawn as a line."""

    across: str
    """What ``points`` have first, with its unit; ``up``: what they have second."""
    up: str
    points: list[tuple[float, float]]


class Outcome(Struct):
    """What a suite found."""

    results: list[Result] = []
    failures: list[str] = []
    """What could not be measured, and why."""
    titles: dict[str, str] = {}
    """Contender → its name for people, in the order of the table."""
    off_scale: frozenset[str] = frozenset()
    """Contenders that no chart of throughput shows, as the others would be too small beside them."""
    drawn_unit: str = ""
    """Where nobody contends: the unit whose figures make a chart; none is drawn without."""
    curve: Curve | None = None
    """A chart instead of figures."""


class Suite(Protocol):
    """A set of measurements that belong together."""

    name: str
    title: str
    share: float
    """Its part of the time, in proportion to the other suites'."""
    apart: bool
    """Whether it takes part only where it is named: the others alone fill the time of a full run."""

    def contenders(self, settings: LocalSettings) -> Sequence[Contender]:
        """All that it measures, in the order of the table; nothing is started yet."""
        ...

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:
        """Measure those that take part."""
        ...


def chosen(known: Sequence[tuple[Suite, Sequence[Contender]]], only: frozenset[str]) -> list[list[Contender]]:
    """Of each suite the contenders that are named, or all where the suite is named, or nothing is.

    :raises WrongUseError: for a name that is neither a suite's nor a contender's.
    """
    names = {contender.name for _, contenders in known for contender in contenders}
    suites = {suite.name for suite, _ in known}
    if unknown := only - names - suites:
        there = f"there are {', '.join(sorted(names))}; suites: {', '.join(sorted(suites))}"
        raise WrongUseError(f"bench: no contender {', '.join(sorted(unknown))}; {there}")
    return [
        [one for one in contenders if not only or suite.name in only or one.name in only] for suite, contenders in known
    ]


def _results(runs: Runs, where: Origin) -> list[Result]:
    return [one for name, measured in runs.measured.items() for one in of_contender(name, measured, where)]


def measure(
    plan: Plan,
    taking_part: Sequence[Contender],
    spec_of: Callable[[Contender], InputSpec],
    comparisons: Iterable[Comparison],
    off_scale: frozenset[str] = frozenset(),
) -> Outcome:
    """Run contenders in turns, those of ours that seem slower once more, end what they started, and compare.

    :param spec_of: the input of a contender; the mode says how many events it has.
    """

    def input_of(contender: Contender) -> Input:
        spec = msgspec.structs.replace(spec_of(contender), events=plan.mode.events // contender.slow)
        return prepared(spec, plan.settings.data / "bench" / "input")

    try:
        runs = run_in_turns(taking_part, input_of, plan.mode.rounds, plan.deadline, plan.progress)
        slower = guard.slower(_results(runs, plan.where), plan.before or [])
        suspects = {one.contender for one in slower if one.is_ours}
        if suspects:
            again = [one for one in taking_part if one.name in suspects]
            run_again(again, input_of, runs, time.monotonic() + _AGAIN_S, plan.progress)
    finally:
        for contender in taking_part:
            contender.close()
    results = _results(runs, plan.where)
    results += compared(results, comparisons)
    titles = {one.name: one.title for one in taking_part}
    return Outcome(results, list(runs.failed.values()), titles, off_scale)
