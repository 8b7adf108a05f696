"""What is seen of a running Flink job from outside, moment by moment, and the measured part made of it."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

from bench.contender import WARM_UP_SHARE, ContenderError, Measurement

_COMPILERS: Final = ("(C1 Compiler", "(C2 Compiler")
"""What HotSpot calls the threads; the kernel keeps fifteen characters."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Sample(Struct, frozen=True, kw_only=True):
    """One look at the job."""

    at: float
    """By the wall clock, in s."""
    events: int
    """That had been read."""
    cpu_seconds: float
    """Of its processes since they began."""
    rss_bytes: int
    compiling_seconds: float = 0.0
    """Of ``cpu_seconds``, what went into compiling Java code."""


class Watched(Struct, frozen=True, kw_only=True):
    """A job that was watched to its end; times by the wall clock, in s."""

    submitted_at: float
    """When Flink's client was started."""
    running_at: float
    """When the job ran, as the JobManager says."""
    ended_at: float
    """When its last row was put out: the end with all its commits, or the last change in what its sinks took."""
    samples: Sequence[Sample]
    """From before the first event to after the end."""
    sinks: dict[str, int]
    """Rows that each discarding sink took."""

    @property
    def first_event_at(self) -> float:
        """Since when events are read."""
        return _when(self.samples, 1)

    def measured(self, events: int, stored: int) -> Measurement:
        """The part after the warm-up.

        :param events: of the input; ``stored``: what the job put out.
        :raises ContenderError: if so many were not read.
        """
        warm = int(events * WARM_UP_SHARE)
        if self.samples[-1].events != events:
            raise ContenderError(f"{self.samples[-1].events} of {events} events were read; see the TaskManager's log")
        begin = _when(self.samples, warm)
        cpu, compiling = (self._used(value, begin) for value in (_cpu_seconds, _compiling_seconds))
        return Measurement(
            events=events - warm,
            seconds=self.ended_at - begin,
            cpu_seconds=cpu,
            rss_bytes=max(sample.rss_bytes for sample in self.samples),
            startup_seconds=self.first_event_at - self.submitted_at,
            stored=stored,
            compiling_seconds=compiling,
        )

    def _used(self, value: Callable[[Sample], float], begin: float) -> float:
        return _between(self.samples, self.ended_at, value) - _between(self.samples, begin, value)


class Compilers:
    """The threads of Java processes that compile; what one has used counts on when it is gone.

    :param pids: of the processes.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._others: set[str] = set()
        self._used: dict[str, float] = {}

    def cpu_seconds(self) -> float:
        """What they have used since the processes began."""
        for pid in self._pids:
            with suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    self._look(thread)
        return sum(self._used.values())

    def _look(self, thread: Path) -> None:
        if thread.name in self._others:
            return
        with suppress(OSError):  # it has just ended
            name, _, figures = (thread / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
            if any(kind in name for kind in _COMPILERS):
                user, system = figures.split()[11:13]
                self._used[thread.name] = (int(user) + int(system)) / _TICKS
            else:
                self._others.add(thread.name)


def usage(processes: Iterable[psutil.Process]) -> tuple[float, int]:
    """CPU seconds and resident bytes of processes together; none of one that has ended."""
    cpu, rss = 0.0, 0
    for process in processes:
        times = process.cpu_times()
        cpu += times.user + times.system
        rss += process.memory_info().rss
    return cpu, rss


def _when(samples: Sequence[Sample], events: int) -> float:
    """When so many events had been read, to a line between two samples."""
    for before, after in pairwise(samples):
        if before.events < events <= after.events:
            share = (events - before.events) / (after.events - before.events)
            return before.at + share * (after.at - before.at)
    raise ContenderError(f"{events} events were never read")


def _cpu_seconds(sample: Sample) -> float:
    return sample.cpu_seconds


def _compiling_seconds(sample: Sample) -> float:
    return sample.compiling_seconds


def _between(samples: Sequence[Sample], at: float, value: Callable[[Sample], float]) -> float:
    """A value at a time, to a line between two samples."""
    for before, after in pairwise(samples):
        if before.at <= at <= after.at:
            share = (at - before.at) / (after.at - before.at)
            return value(before) + share * (value(after) - value(before))
    raise ContenderError(f"nothing was seen of the job at {at:.3f}")
