"""The suite of memory: whether the job's stays as it is over ten million events in the same rooms, and its cost."""

import shutil
import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.contender import Contender, ContenderError
from bench.flink_contenders import FlinkContender, flink_contenders
from bench.flink_samples import Sample, Watched
from bench.input import Input, InputSpec, prepared
from bench.results import US_PER_EVENT, Origin, Result, figure
from bench.suite import Curve, Outcome, Plan
from codewave.contract.limits import MIB
from codewave.errors import CodewaveError
from codewave.local.settings import LocalSettings

INPUT: Final = InputSpec(events=10_000_000, lines=False)
"""Records of 50 events, 200 rooms."""
FILLED: Final = 5_000_000
"""Events until Java's heap, RocksDB's buffers and Python's modules are as large as they get; the rest would grow for
ever."""
LESS_HEAP_MB: Final = 256
"""What Java's heap has less than by default, 448 MiB in place of 704. With more room than it needs it goes up and down
in steps of 40 to 100 MiB beyond ten million events, which nothing can be told from."""
ROCKSDB: Final = {"taskmanager.memory.managed.size": "128m"}
"""So that RocksDB has filled its cache and buffers by then: 256 MiB, the default, take more than ten million events in
200 rooms and look like a leak meanwhile; with 64 an event costs three times as much CPU in the end."""
_MILLION: Final = 1_000_000
_CONTENDER: Final = "ours-discard"


class Memory:
    """The suite."""

    name = "memory"
    title = "Memory over ten million events"
    share = 0.2
    apart = False

    def contenders(self, settings: LocalSettings) -> list[Contender]:  # noqa: ARG002 -- nobody contends
        """None: the job alone is measured."""
        return []

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:  # noqa: ARG002
        """Run the job once."""
        memory_mb = plan.settings.task_manager_memory_mb - LESS_HEAP_MB
        contender = next(one for one in flink_contenders(1, 1, memory_mb, ROCKSDB) if one.name == _CONTENDER)
        try:
            plan.progress.begin(f"memory: {INPUT.events:,} events are made")
            data = prepared(INPUT, plan.settings.data / "bench" / "input")
            plan.progress.begin(f"memory: {INPUT.events:,} events through the job")
            watched = _watch(contender, data)
        except CodewaveError as error:
            plan.progress.say(str(error), style="red")
            return Outcome(failures=[str(error)])
        finally:
            contender.close()
        return Outcome(results_of(watched, plan.where), curve=curve_of(watched))


def _watch(contender: FlinkContender, data: Input) -> Watched:
    """Run the job, and keep neither the input nor its table: gigabytes that nothing else needs."""
    try:
        watched = contender.watch(data)
        if (stored := contender.stored(watched)) != data.distinct:
            raise ContenderError(f"{contender.name}: put out {stored:,} events, not {data.distinct:,}")
    finally:
        contender.forget(data)
        shutil.rmtree(data.folder, ignore_errors=True)
    return watched


def results_of(watched: Watched, where: Origin) -> list[Result]:
    """How memory was and grew once all was filled."""
    filled = [sample for sample in watched.samples if sample.events >= FILLED]
    half = len(filled) // 2
    if not half:
        raise ContenderError(f"memory: nothing was seen of the job after {FILLED:,} events")
    return [
        figure("memory: growth", [growth(filled) / MIB], "MiB/million events", where),
        figure("memory: first half", [_median(filled[:half])], "MiB", where),
        figure("memory: second half", [_median(filled[half:])], "MiB", where),
        figure("memory: highest", [max(sample.rss_bytes for sample in watched.samples) / MIB], "MiB", where),
        _compared_cost(filled, half, where),
    ]


def curve_of(watched: Watched) -> Curve:
    """How memory went."""
    points = [(sample.events / _MILLION, sample.rss_bytes / MIB) for sample in watched.samples]
    return Curve("million events", "MiB of the TaskManager (RSS)", points)


def _compared_cost(filled: Sequence[Sample], half: int, where: Origin) -> Result:
    """What an event costs in the second half, when there is more state, beside the first."""
    first, second = _cost(filled[: half + 1]), _cost(filled[half:])
    result = figure("memory: cost in the second half", [second], US_PER_EVENT, where)
    return msgspec.structs.replace(result, baseline="the first half", ratio=second / first)


def _cost(samples: Sequence[Sample]) -> float:
    """Microseconds of CPU time an event between the first and the last of them."""
    first, last = samples[0], samples[-1]
    return (last.cpu_seconds - first.cpu_seconds) / (last.events - first.events) * 1e6


def growth(samples: Sequence[Sample]) -> float:
    """Bytes that come with a million events, by the straight line that fits all samples best."""
    slope, _ = statistics.linear_regression(
        [sample.events / _MILLION for sample in samples], [float(sample.rss_bytes) for sample in samples]
    )
    return slope


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.rss_bytes for sample in samples) / MIB
