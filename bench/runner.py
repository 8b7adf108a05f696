"""Runs contenders in turns, so that whatever else the machine does hits all of them alike, and checks what they say."""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from bench.contender import SHORTEST_S, Contender, ContenderError, Measurement
from bench.input import Input
from bench.progress import Progress
from codewave.errors import CodewaveError


class Runs(Struct):
    """All runs of all contenders."""

    measured: dict[str, list[Measurement]] = {}
    failed: dict[str, str] = {}
    lasted: dict[str, float] = {}
    """Contender → how long its last run took, in s, with its start-up."""


def run_in_turns(
    contenders: Sequence[Contender],
    input_of: Callable[[Contender], Input],
    rounds: int,
    deadline: float,
    progress: Progress,
) -> Runs:
    """Run each contender once a round; one that fails is left out from then on.

    :param input_of: the input that a contender gets.
    :param deadline: by :func:`time.monotonic`; the first round is run in any case, and as many as a contender says that
        it needs (``least_runs``); after them it runs again only where it should end before, judged by its last run.
    """
    runs = Runs()
    progress.expect(rounds * len(contenders))
    for number in range(1, rounds + 1):
        for contender in contenders:
            _run_in_time(contender, input_of, f"round {number} of {rounds}", runs, deadline, progress)
    return runs


def run_again(
    contenders: Sequence[Contender],
    input_of: Callable[[Contender], Input],
    runs: Runs,
    deadline: float,
    progress: Progress,
) -> None:
    """Run contenders once more, those that should end before the deadline, and add to their ``runs``."""
    progress.expect(len(contenders))
    for contender in contenders:
        _run_in_time(contender, input_of, "again", runs, deadline, progress)


def _run_in_time(  # noqa: PLR0913, PLR0917 -- what _run_one takes, and until when
    contender: Contender,
    input_of: Callable[[Contender], Input],
    what: str,
    runs: Runs,
    deadline: float,
    progress: Progress,
) -> None:
    began = time.monotonic()
    needed = len(runs.measured.get(contender.name, [])) < getattr(contender, "least_runs", 1)
    late = not needed and began + runs.lasted.get(contender.name, 0) > deadline
    if contender.name in runs.failed or late:
        progress.skip()
        return
    _run_one(contender, input_of, f"{what}, {contender.name}", runs, progress)
    runs.lasted[contender.name] = time.monotonic() - began


def _run_one(
    contender: Contender, input_of: Callable[[Contender], Input], what: str, runs: Runs, progress: Progress
) -> None:
    try:
        progress.begin(f"{what}: input")
        data = input_of(contender)
        progress.begin(f"{what}: {contender.title}")
        measured = contender.run(data)
        check(contender, measured, data)
    except CodewaveError as error:
        runs.failed[contender.name] = str(error)
        runs.measured.pop(contender.name, None)
        progress.say(f"{what}: {error}", style="red")
    else:
        runs.measured.setdefault(contender.name, []).append(measured)
        progress.done(what, measured)


def check(contender: Contender, measured: Measurement, data: Input) -> None:
    """Refuse a run that did not do the work, or was too short to be measured.

    :raises ContenderError: with what is wrong.
    """
    expected = data.distinct if getattr(contender, "deduplicates", True) else data.count
    if measured.stored != expected:
        raise ContenderError(
            f"{contender.name}: put out {measured.stored:,} events, not {expected:,}; its figures do not count"
        )
    if measured.seconds < getattr(contender, "shortest_s", SHORTEST_S):
        raise ContenderError(
            f"{contender.name}: measured for {measured.seconds:.2f} s only; give it more events than {data.count:,}"
        )
    if measured.events <= 0 or measured.cpu_seconds <= 0:
        raise ContenderError(f"{contender.name}: says that it measured {measured.events} events in no CPU time")
