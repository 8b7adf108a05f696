"""A producer that only remembers what it was given, a clock that only moves when told, and small traces."""

import gzip
from pathlib import Path
from typing import Any

import msgspec

from codewave.contract.events import AnyEvent
from codewave.workload.chaos import parse_chaos
from codewave.workload.options import WorkloadOptions

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
TRACES = Path(__file__).parent / "traces"
REAL_TRACES = ("rustcode", "clownschool_flat", "json-crdt-patch")


def real_trace(name: str) -> Path:
    return TRACES / f"{name}.json.gz"


class RecordingSink:
    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.records: list[tuple[str, bytes]] = []
        self.flushes = 0

    def send_encoded(self, room_id: str, encoded: bytes) -> None:
        self.taken.append((room_id, encoded))

    def send_record(self, room_id: str, data: bytes) -> None:
        self.records.append((room_id, data))

    def flush(self, timeout_s: float | None) -> None:  # noqa: ARG002 - the producer's signature
        self.flushes += 1

    def valid_events(self) -> list[AnyEvent]:
        """What decodes as an event of the contract and is none of chaos' own."""
        events = []
        for _, data in self.taken:
            try:
                event = msgspec.json.decode(data, type=AnyEvent)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if event.user_id != "chaos":
                events.append(event)
        return events


class HandClock:
    """Time passes by sleeping only."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now_ms(self) -> int:
        return START_MS + int(self.seconds * 1000)

    def elapsed(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


def options(chaos: str = "", **changes: Any) -> WorkloadOptions:
    chosen: dict[str, Any] = {"rooms": 2, "seconds": 20, "seed": 7, "start_ms": START_MS}
    return WorkloadOptions(**(chosen | changes), chaos=parse_chaos(chaos))


def write_trace(path: Path, content: Any) -> Path:
    path.write_bytes(gzip.compress(msgspec.json.encode(content)))
    return path


def small_trace(**changes: Any) -> dict[str, Any]:
    return {
        "startContent": "",
        "endContent": "hé🙂!",
        "txns": [
            {"time": "2026-01-01T00:00:00.000Z", "patches": [[0, 0, "hé"]]},
            {"time": "2026-01-01T00:00:01.000Z", "patches": [[2, 0, "🙂?"], [3, 1, "!"]]},
        ],
    } | changes
