"""A sender thread: frames the batches of its rooms, puts them on the stream, and tries again what failed."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from codewave.client.buffer import Buffer
from codewave.client.errors import RetryableTransportError
from codewave.client.rooms import Record, RoomQueues
from codewave.client.settings import ProducerSettings
from codewave.contract.frame import FRAME_VERSION, Header, frame

Transport = Callable[[list[tuple[str, bytes]]], list[str | None]]
"""Puts (partition key, data) on the stream; answers an error code, or ``None`` for stored, for each in order.

A call that fails as a whole raises: ``RetryableTransportError`` or an ``OSError`` is tried again, anything else ends
the producer.
"""

THROTTLING_CODES: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "KMSThrottlingException",
        "SlowDown",
    }
)
"""Codes that mean too busy (AWS, Kinesis API reference, PutRecords; botocore's list of throttling codes)."""

_MAX_DOUBLINGS: Final = 30
_log = logging.getLogger(__name__)


class Sender:
    """One thread with its own rooms and at most one call under way."""

    def __init__(
        self, name: str, transport: Transport, settings: ProducerSettings, buffer: Buffer, clock: Callable[[], int]
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._buffer = buffer
        self._clock = clock
        self.rooms = RoomQueues(settings)
        self.work = threading.Condition(buffer.lock)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end, once ``buffer.stopping`` is set and ``work`` notified."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while call := self._next_call():
                self._put(call)
        except BaseException as error:  # noqa: BLE001 - whatever ends the thread must reach the caller
            self._buffer.fail(error)

    def _next_call(self) -> list[Record]:
        with self._buffer.lock:
            while not self._buffer.stopping:
                now = time.monotonic()
                if call := self.rooms.take(now):
                    self._number(call)
                    return call
                self.work.wait(self.rooms.wait_s(now))
            return []

    def _number(self, call: list[Record]) -> None:
        tally = self._buffer.tally
        tally.calls += 1
        for record in call:
            tally.retries += record.attempts > 0
            record.attempts += 1
            if record.data is None:
                record.batch = self._buffer.next_batch()

    def _frame(self, record: Record) -> bytes:
        header = Header(
            v=FRAME_VERSION,
            room_id=record.room_id,
            count=record.events,
            encoding=self._settings.encoding,
            collector=self._settings.collector,
            batch=record.batch,
            sent_at=self._clock(),
        )
        data = frame(header, record.lines)
        record.lines = []
        return data

    def _put(self, call: list[Record]) -> None:
        for record in call:
            if record.data is None:
                record.data = self._frame(record)
        codes = self._answers([(record.room_id, record.data or b"") for record in call])
        if len(codes) != len(call):
            raise ValueError(f"the transport answered {len(codes)} codes for {len(call)} records")
        with self._buffer.lock:
            self._settle(call, codes)

    def _answers(self, records: list[tuple[str, bytes]]) -> list[str | None]:
        try:
            return self._transport(records)
        except (RetryableTransportError, OSError) as error:
            _log.warning("client: a call of %d records failed, trying again: %s", len(records), error)
            code = error.code if isinstance(error, RetryableTransportError) else f"{type(error).__name__}: {error}"
            return [code] * len(records)

    def _settle(self, call: list[Record], codes: list[str | None]) -> None:
        now = time.monotonic()
        jitter = random.random()  # noqa: S311 - one draw a call: what failed together is tried again together
        for record, code in zip(call, codes, strict=True):
            if code is None:
                self._buffer.acknowledged(record)
                self.rooms.settle(record)
            else:
                self._buffer.last_error = code
                self._buffer.tally.throttled += code in THROTTLING_CODES
                self._retry(record, now, now + jitter * self._longest_delay_s(record.attempts))

    def _longest_delay_s(self, attempts: int) -> float:
        # Exponential back-off with full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter".
        longest_ms = self._settings.backoff_base_ms * 2.0 ** min(attempts - 1, _MAX_DOUBLINGS)
        return min(longest_ms, self._settings.backoff_max_ms) / 1000

    def _retry(self, record: Record, now: float, until: float) -> None:
        timeout_s = self._settings.delivery_timeout_s
        if timeout_s is not None and max(now, until) - record.opened_at > timeout_s:
            _log.error("client: gave up a record of room %s with %d events", record.room_id, record.events)
            self._buffer.gave_up(record)
            self.rooms.settle(record)
        else:
            self.rooms.delay(record, until)
