"""A stream at AWS's edge: takes records, and fails those that the test chose."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import msgspec

from codewave.client import EventWriter, ProducerSettings
from codewave.contract.events import ChatPosted, ChatPostedPayload
from codewave.contract.frame import Header, unframe

Records = list[tuple[str, bytes]]
Fault = Callable[[int, Records], list[str | None]]
"""Call number from 1 and its records → a code or None per record; may raise."""

THROTTLED = "ProvisionedThroughputExceededException"


def no_fault(_call: int, records: Records) -> list[str | None]:
    return [None] * len(records)


class FakeStream:
    def __init__(self, fault: Fault = no_fault) -> None:
        self.fault = fault
        self.calls: list[Records] = []
        self.arrived: Records = []
        self._lock = threading.Lock()

    def __call__(self, records: Records) -> list[str | None]:
        with self._lock:
            self.calls.append(records)
            number = len(self.calls)
        codes = self.fault(number, records)
        with self._lock:
            self.arrived += [record for record, code in zip(records, codes, strict=True) if code is None]
        return codes

    def headers(self) -> list[Header]:
        return [header for header, _ in (unframe(data) for _, data in self.arrived) if header]

    def sequences(self) -> dict[str, list[int]]:
        """Room → the sequences of its events, in the order they arrived."""
        found: dict[str, list[int]] = defaultdict(list)
        for key, data in self.arrived:
            found[key] += [msgspec.json.decode(line)["sequence"] for line in unframe(data)[1]]
        return dict(found)


class Chatter:
    """Writes chat messages of any rooms, numbered per room."""

    def __init__(self) -> None:
        self._writers: dict[str, EventWriter] = {}

    def message(self, room_id: str, text: str = "hello") -> ChatPosted:
        writer = self._writers.setdefault(room_id, EventWriter(room_id, f"s-{room_id}", "ada"))
        return writer.event(ChatPosted, f"session:s-{room_id}", ChatPostedPayload(text))


def settings(**changes: object) -> ProducerSettings:
    """Quick settings: short linger and back-off."""
    quick = {"collector": "test-1", "linger_ms": 5, "backoff_base_ms": 1, "backoff_max_ms": 4}
    return ProducerSettings(**{**quick, **changes})  # type: ignore[arg-type]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.002)
