"""Bugs on purpose in the stream's functions, and the stream as the job runs it: with what isolates poison around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from stream import ARRIVED_MS, Stream

from codewave.contract.events import Event
from udfs.attempt import Start
from udfs.isolate import Allowance, Isolation, IsolationRules, Work, Written, take
from udfs.quarantine import Record
from udfs.route import ROUTES, Maker
from udfs.rows import OUTPUTS, Row
from udfs.rules import Rules
from udfs.sequence import KeyState

POISON = "POISON"
"""What the text of an event has to hold for :func:`bug_in_rows` to break on it."""


class BugError(Exception):
    """Raised by code that was broken on purpose."""


class IsolatingStream(Stream):
    """As its base, with steps made as the operator makes them; ``last`` is the step made last."""

    def __init__(self, rules: Rules | None = None, isolation: IsolationRules | None = None, **of: Any) -> None:
        super().__init__(rules=rules, **of)
        self.isolation = isolation or IsolationRules(at_most=10_000)
        self.allowance = Allowance(self.isolation)
        self.last: Written | None = None

    def take(self, data: bytes, *, arrived_at: int | None = None, now_ms: int | None = None) -> dict[str, list[Row]]:
        self._records += 1
        at = ARRIVED_MS if arrived_at is None else arrived_at
        record = Record(data, "shard-1", str(self._records), at)
        return self._make(record, at + 5 if now_ms is None else now_ms)

    def fire(self, after_ms: int, *, now_ms: int | None = None) -> dict[str, list[Row]]:
        clock = ARRIVED_MS + after_ms
        return self._make(clock, clock + 5 if now_ms is None else now_ms)

    def read(self, ordering_key: str) -> bytes | None:
        return self.keys.get(ordering_key)

    def _make(self, work: Work, now_ms: int) -> dict[str, list[Row]]:
        outputs = frozenset(OUTPUTS)
        start = Start(self.room_id, self.room, self.read, self.rules, now_ms)
        failure: Exception | None = None
        try:
            written = take(start, work, outputs)
        except Exception as error:  # noqa: BLE001 -- as the operator does
            failure = error
        if failure is not None:
            written = Isolation(self.isolation, outputs, self.allowance).recover(start, work, failure)
        self.last = written
        self.room = written.room
        self.keys |= dict(written.keys)
        for output, rows in written.rows.items():
            self.rows.setdefault(output, []).extend(rows)
        assert [output for output, _ in written.batches] == list(written.rows)
        return written.rows

    @property
    def isolated(self) -> list[str]:
        """The ids of the events in quarantine that broke the code."""
        rows = self.rows.get("quarantined_events", [])
        return [row.event_id for row in rows if row.reason == "operator_failed"]


@contextmanager
def bug_in_rows(breaks: Callable[[Any], bool] | None = None) -> Iterator[None]:
    """A release that breaks where it makes rows of some events: by default those with :data:`POISON` in their text."""

    def broken(make: Maker) -> Maker:
        def make_or_break(event: Any, *flags: bool) -> Row:
            if (breaks or has_poison)(event.payload):
                raise BugError("no row for this one")
            return make(event, *flags)

        return make_or_break

    with pytest.MonkeyPatch.context() as patch:
        for kind, (output, make) in list(ROUTES.items()):
            patch.setitem(ROUTES, kind, (output, broken(make)))
        yield


def has_poison(payload: Any) -> bool:
    """Whether the text of a message, an edit or a chunk of output is poisoned."""
    texts = [getattr(payload, "text", "")] + [patch[2] for patch in getattr(payload, "patches", ())]
    return any(POISON in text for text in texts)


def assert_counts_close(stream: Stream) -> None:
    """Every row of the audit closes, and all of them together say what is stored, refused and waits."""
    for row in stream.rows.get("record_audit", []):
        assert row.received == row.stored + row.duplicate + row.quarantined + row.pending
        for counts in row.by_type:
            assert counts.received == counts.stored + counts.duplicate + counts.quarantined + counts.pending
    tables = ("document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs")
    held = [row.event_id for table in tables for row in stream.rows.get(table, [])]
    assert stream.total("stored") + stream.total("released") == len(held) == len(set(held))
    assert stream.total("quarantined") == len(stream.rows.get("quarantined_events", []))
    keys = [msgspec.msgpack.decode(data, type=KeyState) for data in stream.keys.values()]
    assert all(key.pending_bytes == sum(len(one.line) for one in key.pending.values()) for key in keys)


def body_of(event: Event) -> str:
    """The event as quarantine holds it."""
    return msgspec.json.encode(event).decode()
