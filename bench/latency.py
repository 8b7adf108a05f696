"""The suite of latency: how long a record takes through the local stack at a part of the highest rate it sustains.

Everything is on one machine: stream emulator, catalog, OpenSearch, Flink, the job with all its sinks, and the sender.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from bench.contender import Contender, ContenderError
from bench.delays import Audited, audited_since, percentile
from bench.latency_load import LoadProcess, Part, Task, room_ids
from bench.latency_markers import COLLECTOR, Markers
from bench.latency_stack import NAMESPACE, LatencyStack
from bench.results import Origin, Result, figure
from bench.suite import Outcome, Plan
from codewave.errors import CodewaveError
from codewave.local.settings import LocalSettings

TURNS: Final = ((25, False), (50, False), (50, True), (75, False))
"""Shares of the highest rate, in percent, and whether there is a hot room; at a half is measured what it does."""
ROUNDS: Final = 2
"""Of plays, the second in the opposite order: the machine is not always as quick."""
HOT: Final = 0.2
"""A hot room's part of all events."""
OTHERS: Final = 40
"""Rooms beside it."""
INSTEAD: Final = 10
"""Rooms that have the hot room's part where there is none: all are alike then, the others as they are beside it."""
MS: Final = "ms"
SENT_PER_S: Final = "sent events/s"
"""Not guarded: the highest rate is known to an eighth, and what the emulator does is no concern of this project."""

_FIRST_RATE: Final = 2_000.0
_LOWEST_RATE: Final = 100.0
_HALVINGS: Final = 3
_STEP_S: Final = 24.0
_SETTLE_S: Final = 4.0
"""Of a step, before the backlog is looked at; each half of the rest holds two checkpoints, at which it is highest."""
_WARM_UP: Final = ((1_000.0, 30.0), (2_000.0, 20.0))
"""Events a second, and for how many seconds: after the first alone, twice its rate may still be too much."""
_PLAY_S: Final = 24.0
_PLAY_SETTLE_S: Final = 6.0
"""Of a play, before delays count."""
_LOOK_S: Final = 0.25
_GROWTH: Final = 0.1
"""Of the rate: how fast a backlog may grow; checkpoints alone make it go up and down by as much."""
_SHORTFALL: Final = 0.05
"""Of the rate: by how much the sender may fall short."""
_DRAIN_S: Final = 240.0
_PERCENTILES: Final = (("p50", 0.5), ("p99", 0.99))


class Look(Struct, frozen=True):
    """What was seen at one moment of a step."""

    at: float
    sent: int
    received: int


class Played(Struct, frozen=True):
    """What came of a play."""

    records: list[Audited]
    """That came between the settling and the end of the sending."""
    searchable_ms: list[float]
    """From each marker's arrival until it was found."""


def highest_rate(is_sustained: Callable[[float], bool]) -> float:
    """The highest sustained rate: doubled until it is not, then closed in on.

    The first rate gets a second chance: now and then a pause of the machine falls into its step, and all that follow
    would be below it.

    :raises ContenderError: if not even the lowest is sustained.
    """
    good, bad, rate = 0.0, 0.0, _FIRST_RATE
    while not (good and bad):
        if rate < _LOWEST_RATE:
            raise ContenderError(f"latency: the stack does not sustain {_LOWEST_RATE:,.0f} events/s")
        if is_sustained(rate) or (rate == _FIRST_RATE and is_sustained(rate)):
            good, rate = rate, rate * 2
        else:
            bad, rate = rate, rate / 2
    for _ in range(_HALVINGS):
        middle = (good + bad) / 2
        if is_sustained(middle):
            good = middle
        else:
            bad = middle
    return good


def keeps_up(rate: float, looks: Sequence[Look]) -> bool:
    """Whether a rate was really sent, and what was sent and not yet received did not grow.

    The mean backlog of a step's second half is held against that of its first: each holds more than one checkpoint.
    """
    settled = [look for look in looks if look.at - looks[0].at >= _SETTLE_S]
    half = len(settled) // 2
    if not half:
        return False
    first, last = settled[0], settled[-1]
    sent = (last.sent - first.sent) / (last.at - first.at)
    apart = (last.at - first.at) / 2
    growth = (_mean_backlog(settled[half:]) - _mean_backlog(settled[:half])) / apart
    return sent >= rate * (1 - _SHORTFALL) and growth <= rate * _GROWTH


def _mean_backlog(looks: Sequence[Look]) -> float:
    return sum(look.sent - look.received for look in looks) / len(looks)


class Run:
    """The plays on one running stack."""

    def __init__(self, stack: LatencyStack, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._say = say
        self._sent = 0
        self._seed = 0
        self._marker = 1

    def warm_up(self) -> None:
        """Play what is not looked at: in its first half minute the job is slower than it is ever after."""
        for rate, seconds in _WARM_UP:
            self._send(self.parts(rate), seconds, [])

    def is_sustained(self, rate: float) -> bool:
        """Play a step, and wait until all of it was received."""
        looks: list[Look] = []
        self._send(self.parts(rate), _STEP_S, looks)
        fits = keeps_up(rate, looks)
        self._say(f"latency: {rate:,.0f} events/s {'are' if fits else 'are not'} sustained")
        return fits

    def play(self, parts: list[Part]) -> Played:
        """Play for a while, with markers, and wait until everything is in the lake."""
        before, begin_ms = self._sent, round(time.time() * 1000)
        markers = Markers(self._stack.settings, NAMESPACE, self._marker)
        with markers:
            end_ms = self._send(parts, _PLAY_S, [])
        self._marker = markers.next_number
        self._sent += len(markers.sent)
        records = audited_since(self._stack.settings, NAMESPACE, begin_ms, self._sent - before)
        during = range(begin_ms + round(_PLAY_SETTLE_S * 1000), end_ms)
        return Played([one for one in records if one.arrived_ms in during], searchable(markers, records, during))

    def _part(self, rooms: int, rate: float) -> Part:
        """Rooms that no other play has."""
        self._seed += 1
        return Part(rooms, rate, self._seed)

    def parts(self, rate: float, *, hot: bool = False) -> list[Part]:
        """Rooms that share ``rate``: a hot one, or those in its stead, and the others."""
        return [self._part(1 if hot else INSTEAD, rate * HOT), self._part(OTHERS, rate * (1 - HOT))]

    def _send(self, parts: list[Part], seconds: float, looks: list[Look]) -> int:
        """Send for so long, and wait until all was received; returns when the sending ended, in ms since epoch."""
        before = self._sent
        load = LoadProcess(Task(self._stack.settings, NAMESPACE.name, parts, seconds))
        try:
            while load.sent == 0:
                load.check()
                time.sleep(_LOOK_S)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                load.check()
                looks.append(Look(time.monotonic(), before + load.sent, self._stack.received()))
                time.sleep(_LOOK_S)
            end_ms = time.time_ns() // 1_000_000
            self._sent += load.stop()
        except BaseException:
            load.kill()
            raise
        self._drain()
        return end_ms

    def _drain(self) -> None:
        give_up = time.monotonic() + _DRAIN_S
        while (received := self._stack.received()) < self._sent:
            if time.monotonic() > give_up:
                raise ContenderError(f"latency: {received:,} of {self._sent:,} events received {_DRAIN_S:.0f} s later")
            time.sleep(_LOOK_S)


def searchable(markers: Markers, records: Sequence[Audited], during: range) -> list[float]:
    """From the arrival of each marker until a search had found it, in ms; of those that came ``during`` these ms.

    :raises ContenderError: if one was never found.
    """
    arrived = {one.batch: one.arrived_ms for one in records if one.collector == COLLECTOR}
    lost = markers.sent.keys() - markers.found_ms.keys()
    if lost:
        raise ContenderError(f"latency: {len(lost)} of {len(markers.sent)} markers could not be found")
    came = {event_id: arrived[number] for event_id, number in markers.sent.items()}
    return [markers.found_ms[event_id] - at for event_id, at in came.items() if at in during]


def delays(name: str, played: Played, rooms: frozenset[str] = frozenset()) -> dict[str, float]:
    """Name → ms from arrival until the rows were handed on; of these rooms only, where some are given."""
    values = [(one.delay_ms, one.events) for one in played.records if not rooms or one.room_id in rooms]
    return {f"{name}-{told}": percentile(share, values) for told, share in _PERCENTILES}


def measure(run: Run, highest: float, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Name → ms in each round, of every share and of the play with a hot room."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        for share, hot in TURNS[::-1] if number % 2 else TURNS:
            how = f", {HOT:.0%} of them in one room" if hot else ""
            say(f"latency: {share} % of {highest:,.0f} events/s{how}, {number + 1} of {ROUNDS}")
            for name, value in _played(run, highest * share / 100, share, hot).items():
                found[name].append(value)
    return found


def _played(run: Run, rate: float, share: int, hot: bool) -> dict[str, float]:
    parts = run.parts(rate, hot=hot)
    played = run.play(parts)
    if hot:
        room, others = (frozenset(room_ids(part)) for part in parts)
        beside = delays(f"latency-{share}-beside-hot-room-processed", played, others)
        return beside | delays(f"latency-{share}-hot-room-processed", played, room)
    waits = [(wait, 1) for wait in played.searchable_ms]
    found = {f"latency-{share}-searchable-{told}": percentile(part, waits) for told, part in _PERCENTILES}
    return delays(f"latency-{share}-processed", played) | found


def results_of(highest: float, found: Mapping[str, Sequence[float]], where: Origin) -> list[Result]:
    """The results; what is beside a hot room is compared with what it is without one."""
    results = [figure("latency-highest-rate", [highest], SENT_PER_S, where)]
    for name, values in found.items():
        result = figure(name, list(values), MS, where)
        baseline = name.replace("beside-hot-room-", "")
        if baseline != name and (without := statistics.median(found[baseline])):
            result = msgspec.structs.replace(result, baseline=baseline, ratio=result.value / without)
        results.append(result)
    return results


class Latency:
    """The suite."""

    name = "latency"
    title = "Latency under load"
    share = 0.185
    apart = False

    def contenders(self, settings: LocalSettings) -> list[Contender]:  # noqa: ARG002 -- nobody contends
        """None: the local stack as a whole is measured."""
        return []

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:  # noqa: ARG002
        """Find the highest rate, then play at parts of it."""
        stack = LatencyStack(plan.settings)
        try:
            plan.progress.begin("latency: the local stack")
            stack.start()
            run = Run(stack, plan.progress.say)
            plan.progress.begin("latency: warming up")
            run.warm_up()
            plan.progress.begin("latency: the highest rate")
            highest = highest_rate(run.is_sustained)
            found = measure(run, highest, plan.progress.begin)
        except CodewaveError as error:
            plan.progress.say(str(error), style="red")
            return Outcome(failures=[str(error)])
        finally:
            stack.close()
        return Outcome(results_of(highest, found, plan.where), drawn_unit=MS)
