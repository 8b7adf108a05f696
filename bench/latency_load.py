"""The load of the latency suite: workloads that are sent by a process of their own, until it is told to stop."""

import subprocess
import sys
import threading
from typing import IO, Any, Final

import msgspec
from msgspec import Struct

from bench.contender import ContenderError
from codewave.faults.load import Load
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings
from codewave.workload.options import EVENTS_PER_ROOM_SECOND, WorkloadOptions, options_for
from codewave.workload.rooms import rooms as rooms_of

_TELL_S: Final = 0.1
_STOP_DEADLINE_S: Final = 150.0
_RESERVE: Final = 2
"""Times as many events as are asked for: the load ends by being stopped, never by itself."""


class Part(Struct, frozen=True):
    """Rooms that share a rate."""

    rooms: int
    rate: float
    """Events a second of all of them together."""
    seed: int


class Task(Struct, frozen=True):
    """What the process is told."""

    settings: LocalSettings
    namespace: str
    parts: list[Part]
    seconds: float


def workload(part: Part, seconds: float) -> WorkloadOptions:
    """The workload of a part for at least so long."""
    virtual = part.rate * seconds * _RESERVE / (part.rooms * EVENTS_PER_ROOM_SECOND)
    return options_for(traces=0, rooms=part.rooms, seconds=max(1, round(virtual)), rate=part.rate, seed=part.seed)


def room_ids(part: Part) -> list[str]:
    """The rooms of a part; they do not depend on how long it is played."""
    return [room.room_id for room in rooms_of(workload(part, 1))]


class LoadProcess:
    """A process that sends; begins at once.

    :param task: what it sends.
    """

    def __init__(self, task: Task) -> None:
        self.sent = 0
        """Events handed to the client library so far; once it has ended, events that the stream has taken."""
        command = [sys.executable, "-m", __name__, msgspec.json.encode(task).decode()]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT, text=True
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """Send nothing new, and wait until the stream has taken what is under way.

        :returns: how many events were sent.
        :raises ContenderError: if the process fails, or does not end.
        """
        if self._process.stdin:
            self._process.stdin.close()
        try:
            code = self._process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ContenderError(f"latency: the load does not end in {_STOP_DEADLINE_S:.0f} s") from None
        self._reader.join()
        if code:
            raise ContenderError(f"latency: the load ended with {code}; what it said is above")
        return self.sent

    def check(self) -> None:
        """Make sure that it still sends.

        :raises ContenderError: if it has ended.
        """
        if (code := self._process.poll()) is not None:
            raise ContenderError(f"latency: the load has ended early with {code}; what it said is above")

    def kill(self) -> None:
        """End it, whatever is under way."""
        self._process.kill()
        self._process.wait()

    def _read(self, told: IO[str]) -> None:
        for line in told:
            self.sent = int(line)


def send(task: Task) -> None:
    """Send what ``task`` says until standard input ends, telling on standard output how much was sent."""
    loads = [Load(task.settings, Namespace(task.namespace), workload(part, task.seconds)) for part in task.parts]
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(sys.stdin, ended), daemon=True).start()
    while not ended.wait(_TELL_S) and all(load.running for load in loads):
        print(sum(load.sent for load in loads), flush=True)
    for load in loads:
        load.stop()
    print(sum(load.finish().events for load in loads), flush=True)


def _wait_for_end(told: Any, ended: threading.Event) -> None:
    told.read()
    ended.set()


if __name__ == "__main__":
    send(msgspec.json.decode(sys.argv[1], type=Task))
