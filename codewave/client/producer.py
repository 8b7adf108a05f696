"""The producer: takes events, batches them per room, and keeps them until the stream has them."""

import os
import re
import time
import zlib
from collections.abc import Callable, Sequence
from copy import copy
from types import TracebackType
from typing import Final, Self

import msgspec

from codewave.client.buffer import Buffer
from codewave.client.counters import Counters
from codewave.client.errors import EventTooLargeError, FlushTimeoutError, ProducerClosedError
from codewave.client.identity import now_millis
from codewave.client.rooms import Record
from codewave.client.sender import Sender, Transport
from codewave.client.settings import ProducerSettings
from codewave.client.split import event_limit
from codewave.contract.events import EVENT_TYPES, Event
from codewave.contract.fields import ID_PATTERN
from codewave.errors import WrongUseError

CLOSE_TIMEOUT_S: Final = 60.0
_JOIN_S: Final = 1.0
"""How long ``close`` waits for threads that have nothing left to do."""
_valid_room_id = re.compile(ID_PATTERN + r"\Z").match


def hash_room(room_id: str) -> int:
    """A room's hash, the same in every process: which sender thread it belongs to."""
    return zlib.crc32(room_id.encode())


class Producer:
    """Puts events on the stream: in order within a room, each at least once, or an error says how many were not.

    Usable from any number of threads, and as a context manager that closes it. Not across ``fork``.

    :param transport: puts records on the stream, see :data:`~codewave.client.sender.Transport`.
    :param clock: ms since epoch, for ``received_at`` and ``sent_at``.
    :param room_hash: which sender a room belongs to.
    """

    def __init__(
        self,
        transport: Transport,
        settings: ProducerSettings,
        *,
        clock: Callable[[], int] = now_millis,
        room_hash: Callable[[str], int] = hash_room,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._room_hash = room_hash
        self._encode = msgspec.json.Encoder().encode
        self._limits = {event_type: event_limit(settings.limits, event_type) for event_type in EVENT_TYPES.values()}
        self._pid = os.getpid()
        self._buffer = Buffer(settings)
        self._senders = [
            Sender(f"codewave-sender-{number}", transport, settings, self._buffer, clock)
            for number in range(settings.senders)
        ]

    def send(self, event: Event) -> None:
        """Take an event; it goes with its room's next batch. Blocks while the buffer is full.

        ``received_at`` is set to now on a copy (``stamp_received_at``); the caller's event stays as it is.

        :raises EventTooLargeError: above its type's limit: split it where it is numbered. Nothing was taken.
        :raises WrongUseError: the room's id is not one, or a text cannot be UTF-8. Nothing was taken.
        :raises BufferFullError: the buffer stayed full for ``send_timeout_s``. Nothing was taken.
        :raises ProducerFailedError: a sender thread has died.
        """
        if self.settings.stamp_received_at:
            event = copy(event)
            event.received_at = self._clock()
        try:
            encoded = self._encode(event)
        except UnicodeEncodeError as error:
            raise WrongUseError(f"client: event {event.event_id} cannot be UTF-8: {error}") from None
        limit = self._limits[type(event)]
        if len(encoded) > limit:
            raise EventTooLargeError(
                f"client: event {event.event_id} has {len(encoded)} bytes, the limit is {limit}; "
                "number long edits and outputs with EventWriter, or split them with split_edit, split_output"
            )
        self._add(event.room_id, encoded)

    def send_pieces(self, pieces: Sequence[Event]) -> None:
        """Take the pieces of one event, in order; counts those beyond the first as split.

        Raises as :meth:`send`. If it does so midway, send all of them again: the stream job drops the doubles.
        """
        for number, piece in enumerate(pieces):
            self.send(piece)
            if number:
                with self._buffer.lock:
                    self._buffer.tally.split += 1

    def send_encoded(self, room_id: str, encoded: bytes) -> None:
        """Take an event's encoded bytes as they are: valid or not, and of any size that a record can hold.

        :raises EventTooLargeError: no record can hold it.
        :raises WrongUseError: the bytes are empty or hold a line break, which would break the batch.
        """
        if not encoded or b"\n" in encoded:
            raise WrongUseError("client: encoded events must be one line and not empty; use send_record for such bytes")
        if len(encoded) > self.settings.largest_line_bytes:
            raise EventTooLargeError(
                f"client: {len(encoded)} bytes; the largest that a record holds are {self.settings.largest_line_bytes}"
            )
        self._add(room_id, encoded)

    def send_record(self, room_id: str, data: bytes) -> None:
        """Take a ready record as it is; it goes after what was sent to its room before.

        :raises EventTooLargeError: above the record's limit with its partition key.
        """
        limit = self.settings.limits.record_bytes - len(room_id)
        if len(data) > limit:
            raise EventTooLargeError(f"client: a record of {len(data)} bytes; the limit with its key is {limit}")
        sender = self._sender(room_id)
        with self._buffer.lock:
            self._buffer.reserve(len(data))
            if sender.rooms.add_record(room_id, data, time.monotonic()):
                sender.work.notify()

    def _add(self, room_id: str, line: bytes) -> None:
        sender = self._sender(room_id)
        with self._buffer.lock:
            self._buffer.reserve(len(line) + 1)
            if sender.rooms.add(room_id, line, time.monotonic()):
                sender.work.notify()

    def _sender(self, room_id: str) -> Sender:
        if os.getpid() != self._pid:  # its threads did not come along, and its lock may be held for ever
            raise ProducerClosedError("client: the producer belongs to the parent process; make one after the fork")
        if not _valid_room_id(room_id):
            raise WrongUseError(f"client: room id {room_id[:80]!r} does not match {ID_PATTERN}")
        return self._senders[self._room_hash(room_id) % len(self._senders)]

    def flush(self, timeout_s: float | None = CLOSE_TIMEOUT_S) -> None:
        """Send everything taken so far now and wait for the stream's answers; later events do not prolong it.

        :param timeout_s: seconds; ``None``: for ever.
        :raises FlushTimeoutError: it took longer; the events stay buffered.
        :raises UndeliveredError: events were given up since the last flush.
        :raises ProducerFailedError: a sender thread has died.
        """
        with self._buffer.lock:
            waiting = self._send_now(timeout_s)
            self._buffer.check_failure()
            if waiting:
                events = sum(record.events for record in waiting)
                raise FlushTimeoutError(
                    f"client: {events} events were not acknowledged in {timeout_s} s (last error: "
                    f"{self._buffer.last_error}); they stay buffered and go on being sent"
                )
            self._buffer.report_undelivered([])

    def _send_now(self, timeout_s: float | None) -> list[Record]:
        """Seal everything and wait for it with the lock held; returns what is not settled in time."""
        for sender in self._senders:
            sender.rooms.seal_all()
            sender.work.notify()
        waiting = [record for sender in self._senders for record in sender.rooms.records()]

        def settled() -> bool:
            while waiting and waiting[-1].settled:
                waiting.pop()
            return not waiting or self._buffer.failed

        self._buffer.settled.wait_for(settled, timeout_s)
        return [record for record in waiting if not record.settled]

    def close(self, timeout_s: float | None = CLOSE_TIMEOUT_S) -> None:
        """Take no more events, send what is buffered, end the threads. A second close does nothing.

        :param timeout_s: seconds for sending; ``None``: for ever.
        :raises UndeliveredError: what was given up since the last flush, or could not be sent in time.
        :raises ProducerFailedError: a sender thread has died.
        """
        with self._buffer.lock:
            if self._buffer.closed:
                return
            self._buffer.closed = True
            self._buffer.space.notify_all()  # whoever waits for place is told
            try:
                abandoned = self._send_now(timeout_s)
            finally:
                self._buffer.stopping = True
                for sender in self._senders:
                    sender.work.notify()
        self._join()
        with self._buffer.lock:
            self._buffer.check_failure()
            self._buffer.report_undelivered([record for record in abandoned if not record.settled])

    def _join(self) -> None:
        deadline = time.monotonic() + _JOIN_S
        for sender in self._senders:
            sender.join(max(0.0, deadline - time.monotonic()))

    @property
    def counters(self) -> Counters:
        """What was done so far."""
        with self._buffer.lock:
            return self._buffer.tally.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
