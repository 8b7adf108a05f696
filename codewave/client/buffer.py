"""What a producer and its sender threads share: the lock, the bounds of memory, the counters, a thread's failure."""

import threading
import time
from typing import Final

import msgspec
from msgspec import Struct

from codewave.client.counters import Counters
from codewave.client.errors import BufferFullError, ProducerClosedError, ProducerFailedError, UndeliveredError
from codewave.client.rooms import EVENT_OVERHEAD_BYTES, Record
from codewave.client.settings import ProducerSettings

_NAMED_ROOMS: Final = 5
"""Rooms that an error's message names."""
_KEPT_ROOMS: Final = 1_000
"""Rooms that an error holds: a process that never flushes must not collect them for ever."""


class _Lost(Struct):
    """What was given up since the last report."""

    events: int = 0
    records: int = 0
    rooms: set[str] = msgspec.field(default_factory=set)

    def add(self, record: Record) -> None:
        self.events += record.events
        self.records += 1
        if len(self.rooms) < _KEPT_ROOMS:
            self.rooms.add(record.room_id)


class Buffer:
    """Every method but :meth:`fail` wants ``lock`` held."""

    def __init__(self, settings: ProducerSettings) -> None:
        self._settings = settings
        self.lock = threading.Lock()
        self.space = threading.Condition(self.lock)
        self.settled = threading.Condition(self.lock)
        self.tally = Counters()
        self.last_error = "no answer yet"
        self.closed = False
        self.stopping = False
        """Sender threads end before their next call."""
        self._failure: BaseException | None = None
        self._lost = _Lost()
        self._batches = 0

    def reserve(self, size: int) -> None:
        """Take the place of one event of ``size`` bytes; wait for it while the buffer is full.

        An event larger than the whole buffer is let into an empty one.

        :raises BufferFullError: it stayed full for ``send_timeout_s``.
        :raises ProducerClosedError: the producer is closed, maybe while waiting.
        :raises ProducerFailedError: a sender thread has died.
        """
        size += EVENT_OVERHEAD_BYTES
        self.check()
        if not self._fits(size):
            self._wait_for(size)
        self.tally.buffered += 1
        self.tally.buffered_bytes += size

    def _fits(self, size: int) -> bool:
        tally, settings = self.tally, self._settings
        return tally.buffered == 0 or (
            tally.buffered < settings.max_buffered_events and tally.buffered_bytes + size <= settings.max_buffered_bytes
        )

    def _wait_for(self, size: int) -> None:
        started = time.monotonic()
        try:
            timeout_s = self._settings.send_timeout_s
            if not self.space.wait_for(lambda: self._over or self._fits(size), timeout_s):
                raise BufferFullError(
                    f"client: {self.tally.buffered} events wait for the stream and none went in {timeout_s} s "
                    f"(last error: {self.last_error}); send again later, or raise send_timeout_s"
                )
        finally:
            self.tally.blocked_seconds += time.monotonic() - started
        self.check()

    @property
    def _over(self) -> bool:
        return self.closed or self._failure is not None

    def check(self) -> None:
        """Raise if no more events can be taken."""
        self.check_failure()
        if self.closed:
            raise ProducerClosedError("client: the producer is closed; make a new one")

    def check_failure(self) -> None:
        """Raise if a sender thread has died."""
        if self._failure is not None:
            raise ProducerFailedError(
                f"client: a sender thread ended with {type(self._failure).__name__}: {self._failure}; "
                f"{self.tally.buffered} events were still buffered; mend it and make a new producer",
                events=self.tally.buffered,
            ) from self._failure

    @property
    def failed(self) -> bool:
        """A sender thread has died."""
        return self._failure is not None

    def fail(self, error: BaseException) -> None:
        """A sender thread died: every waiting and later call raises. Takes the lock itself."""
        with self.lock:
            self._failure = self._failure or error
            self.space.notify_all()
            self.settled.notify_all()

    def next_batch(self) -> int:
        """The next batch number, from 1."""
        self._batches += 1
        return self._batches

    def acknowledged(self, record: Record) -> None:
        """Count a record that the stream has."""
        self._release(record)
        self.tally.events += record.events
        self.tally.records += 1
        self.tally.bytes_before += record.size
        self.tally.bytes_after += len(record.data or b"")

    def gave_up(self, record: Record) -> None:
        """Count a record that will not be tried again, also for the next report."""
        self._release(record)
        self.tally.failed += record.events
        self._lost.add(record)

    def _release(self, record: Record) -> None:
        self.tally.buffered -= record.events
        self.tally.buffered_bytes -= record.memory
        self.space.notify_all()
        self.settled.notify_all()

    def report_undelivered(self, abandoned: list[Record]) -> None:
        """Raise if records were given up since the last report, or are abandoned now.

        :raises UndeliveredError: with their counts.
        """
        lost, self._lost = self._lost, _Lost()
        for record in abandoned:
            lost.add(record)
        if not lost.records:
            return
        rooms = tuple(sorted(lost.rooms))
        named = ", ".join(rooms[:_NAMED_ROOMS]) + (", …" if len(rooms) > _NAMED_ROOMS else "")
        raise UndeliveredError(
            f"client: {lost.events} events in {lost.records} records ({named}) were not delivered "
            f"(last error: {self.last_error}); send them again, with the same event ids",
            events=lost.events,
            records=lost.records,
            rooms=rooms,
        )
