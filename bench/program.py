"""A contender that is a Python program of its own, so that its memory and CPU time are its own.

The program is a module of this package, run with the input's files; it prints one :class:`Measurement` as JSON.
"""

import subprocess
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bench.contender import SHORTEST_TIMED_S, WARM_UP_SHARE, ContenderError, Measurement
from bench.input import Input
from codewave.local.settings import PROJECT_ROOT

_TIMEOUT_S: Final = 1_800.0
_TOLD_LINES: Final = 15
_STATUS: Final = Path("/proc/self/status")


T = TypeVar("T")


def answer_of(name: str, command: list[str], kind: type[T], timeout_s: float = _TIMEOUT_S) -> T:
    """Run a program in a process of its own, and read what it prints last: one JSON value.

    :param name: what it is called in an error.
    :param kind: of the value.
    :raises ContenderError: with the end of what the program said, if it fails or takes too long.
    """
    try:
        done = subprocess.run(command, capture_output=True, cwd=PROJECT_ROOT, timeout=timeout_s, check=False, text=True)
    except subprocess.TimeoutExpired:
        raise ContenderError(f"{name}: took longer than {timeout_s:.0f} s") from None
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[-_TOLD_LINES:])
        raise ContenderError(f"{name}: ended with {done.returncode}:\n{told}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=kind)


class ProgramContender:
    """Runs ``python -m bench.<module> <arguments> <events> <spawned at> <files>`` once a run."""

    slow = 1
    shortest_s = SHORTEST_TIMED_S

    def __init__(self, name: str, title: str, module: str, *arguments: str, deduplicates: bool = True) -> None:
        self.name = name
        self.title = title
        self.deduplicates = deduplicates  # :func:`bench.runner.check` asks for it
        self._command = [sys.executable, "-m", module, *arguments]

    def run(self, data: Input) -> Measurement:
        """Process ``data`` once, from nothing.

        :raises ContenderError: with the end of what the program said, if it fails.
        """
        files = [str(path) for pair in zip_longest(data.records, data.events, fillvalue="") for path in pair]
        command = [*self._command, str(data.count), repr(time.time()), *files]
        return answer_of(self.name, command, Measurement)

    def close(self) -> None:
        """Nothing is left running."""


class Task(msgspec.Struct, frozen=True):
    """What such a program is told."""

    events: int
    spawned_at: float
    """When it was started, by the wall clock in s."""
    files: list[tuple[Path, Path]]
    """Records and events of each partition; the second is no file where the input is records alone."""


def task(arguments: list[str]) -> Task:
    """Read the arguments that :class:`ProgramContender` gives after its own."""
    events, spawned_at, *files = arguments
    paths = [Path(file) for file in files]
    return Task(int(events), float(spawned_at), list(zip(paths[::2], paths[1::2], strict=True)))


class StopWatch:
    """Finds the measured part: from the end of the warm-up to the last :meth:`passed`."""

    def __init__(self, told: Task) -> None:
        self._task = told
        self._first = int(told.events * WARM_UP_SHARE)
        self._events = 0
        self._from = 0
        self._began = self._ended = (0.0, 0.0)
        self._startup_s = time.time() - told.spawned_at

    def passed(self, events: int) -> None:
        """So many more events are through."""
        self._events += events
        if not self._from and self._events >= self._first:
            self._from, self._began = self._events, (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """All events are through."""
        self._ended = (time.perf_counter(), time.process_time())

    def measurement(self, stored: int) -> Measurement:
        """What was measured, of a program that put out ``stored`` events."""
        return Measurement(
            events=self._events - self._from,
            seconds=self._ended[0] - self._began[0],
            cpu_seconds=self._ended[1] - self._began[1],
            rss_bytes=highest_memory_bytes(),
            startup_seconds=self._startup_s,
            stored=stored,
        )


def tell(measurement: Measurement) -> None:
    """Print what was measured, for :class:`ProgramContender` to read."""
    print(msgspec.json.encode(measurement).decode())


def highest_memory_bytes() -> int:
    """Most memory that this process has had; unlike ``getrusage``, without what its parent had when it forked."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ContenderError(f"{_STATUS}: no VmHWM; the benchmarks need Linux")
