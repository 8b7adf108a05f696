"""The player: merges traces and rooms into one stream, at a rate, through chaos, into a producer."""

import heapq
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from codewave.workload.chaos import Disturber, Outgoing
from codewave.workload.options import EVENTS_PER_ROOM_SECOND, WorkloadOptions
from codewave.workload.rooms import rooms
from codewave.workload.steps import Step
from codewave.workload.traces import Trace, TraceSource, trace_sources
from codewave.workload.truth import Truth, TruthCounter

SLICE_S: Final = 0.1
"""Longest sleep in one piece: what chaos holds back is due soon, and a request to stop is heard."""
PROGRESS_S: Final = 0.2
FLUSH_TIMEOUT_S: Final = 300
"""A stream that takes nothing for this long is down."""
_PROGRESS_EVENTS: Final = 64

Progress = Callable[[int, int], None]
"""Called now and then with the real events so far and the number expected."""


class Sink(Protocol):
    """What the player needs of a :class:`codewave.client.Producer`."""

    def send_encoded(self, room_id: str, encoded: bytes) -> None:
        """Take an encoded event."""

    def send_record(self, room_id: str, data: bytes) -> None:
        """Take a whole record."""

    def flush(self, timeout_s: float | None) -> None:
        """Return when everything taken was acknowledged, or raise after ``timeout_s``."""


class Clock:
    """The times the player reads and waits for; tests give their own.

    :param off_ms: how far the wall clock is off.
    """

    def __init__(self, off_ms: int = 0) -> None:
        self._off_ms = off_ms

    def now_ms(self) -> int:
        """Wall clock, ms since epoch."""
        return time.time_ns() // 1_000_000 + self._off_ms

    def elapsed(self) -> float:
        """A clock that never goes back, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Player:
    """Plays one workload once."""

    def __init__(self, traces: list[Trace], options: WorkloadOptions, sink: Sink, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._options = options
        self._sink = sink
        self._traces = trace_sources(traces, options)
        self._disturber = Disturber(
            options.chaos,
            f"{options.seed}/{options.salt}",
            event_bytes=options.event_bytes,
            clock_ms=lambda: self._clock.elapsed() * 1000,
        )
        self._counter = TruthCounter()
        self._encode = msgspec.json.Encoder().encode

    @property
    def expected(self) -> int:
        """About how many real events there will be."""
        generated = self._options.rooms * self._options.seconds * EVENTS_PER_ROOM_SECOND
        return sum(source.operations_expected for source in self._traces) + generated

    def play(self, progress: Progress | None = None, stopped: Callable[[], bool] = lambda: False) -> Truth:
        """Send everything and wait until the producer has delivered it.

        :param progress: called a few times a second.
        :param stopped: asked before each event; once true, the player ends in good order.
        :returns: the truth about what was sent.
        """
        started = shown = self._clock.elapsed()
        interrupted = False
        for number, step in enumerate(steps_of(self._traces, self._options)):
            self._wait(started, number, stopped)
            if stopped():
                interrupted = True
                break
            self._send_step(step)
            if progress and number % _PROGRESS_EVENTS == 0 and self._clock.elapsed() - shown > PROGRESS_S:
                shown = self._clock.elapsed()
                progress(number + 1, self.expected)
        self._send(self._disturber.rest())
        self._sink.flush(FLUSH_TIMEOUT_S)
        if progress:
            progress(self._counter.events, self._counter.events)
        return self._truth(interrupted=interrupted)

    def _wait(self, started: float, number: int, stopped: Callable[[], bool]) -> None:
        """Wait until event ``number`` is due; meanwhile send what chaos need no longer hold back."""
        if not self._disturber.calm:
            self._send(self._disturber.overdue())
        if not self._options.rate:
            return
        due = started + number / self._options.rate
        while (left := due - self._clock.elapsed()) > 0.001 and not stopped():
            self._clock.sleep(min(left, SLICE_S))
            self._send(self._disturber.overdue())

    def _send_step(self, step: Step) -> None:
        event = step.event
        event.received_at = now_ms = self._clock.now_ms()
        if self._disturber.calm:
            self._sink.send_encoded(event.room_id, self._encode(event))
        elif self._disturber.loses():
            self._counter.dropped(event)
            return
        else:
            self._send(self._disturber.take(event.room_id, self._encode(event), now_ms))
        self._counter.sent(step)

    def _send(self, items: Iterator[Outgoing]) -> None:
        for item in items:
            if item.whole_record:
                self._sink.send_record(item.room_id, item.data)
            else:
                self._sink.send_encoded(item.room_id, item.data)

    def _truth(self, *, interrupted: bool) -> Truth:
        return self._counter.result(
            [(source.trace.file, source.document_id, source.room_id) for source in self._traces],
            self._disturber.injected,
            dict(self._disturber.faults.reasons),
            seed=self._options.seed,
            start_ms=self._options.start_ms,
            interrupted=interrupted,
        )


def steps_of(traces: list[TraceSource], options: WorkloadOptions) -> Iterator[Step]:
    """All steps of a workload in the order of its virtual clock, made as they are asked for."""
    sources = [source.steps() for source in traces]
    sources += [room.steps() for room in rooms(options, first_source=len(traces))]
    return iter(heapq.merge(*sources))
