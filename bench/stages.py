"""Where the time of the stream's functions goes, stage by stage, beside msgspec's decoding alone; on one core.

Each stage is timed by itself over the same records, several times, in CPU time; the shortest counts, which other work
on the machine disturbs least.
"""

import gc
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import typer

from bench.engineless import RoomInBytes, header_of
from bench.input import ARRIVAL_MS, InputSpec, prepared, read_records
from codewave.contract.events import AnyEvent
from codewave.contract.frame import open_record
from codewave.local.settings import load_settings
from udfs import batch
from udfs.quarantine import Record
from udfs.room import Step
from udfs.rows import LAKE_OUTPUTS
from udfs.rules import DEFAULT_RULES
from udfs.state import KeyStates, read_room, write_room

_EVENTS: Final = 30_000
_PASSES: Final = 9
_LIMITS: Final = DEFAULT_RULES.limits
_decode: Final = msgspec.json.Decoder(AnyEvent).decode_lines


class Stages:
    """The stages over one input."""

    def __init__(self, records: list[bytes]) -> None:
        self._records = [(header_of(data), data) for data in records]
        self._opened = [open_record(data, _LIMITS) for data in records]
        read = [batch.read_batch(data, header.room_id, _LIMITS) for header, data in self._records]
        self._batches = [one for one in read if one is not None]

    def all(self) -> dict[str, Callable[[], Any]]:
        """Name → what to time; each does all the work of its stage for every record."""
        return {
            "decoding alone, the contract's types": lambda: [_decode(body) and None for _, body in self._opened],
            "header and decompression": lambda: [open_record(data, _LIMITS) and None for _, data in self._records],
            "one event a line": lambda: [
                batch._is_cut_well(body, header.count, _LIMITS.event_bytes) for header, body in self._opened if header
            ],
            "decoding": lambda: [batch._decode_all(body, _LIMITS) and None for _, body in self._opened],
            "ids, keys, versions, fingerprints": self._check,
            "by ordering key": lambda: [batch.places(one.columns.ordering_key) and None for one in self._batches],
            "a whole record read": lambda: [
                batch.read_batch(data, header.room_id, _LIMITS) and None for header, data in self._records
            ],
            "a whole step, rows not encoded": self._step,
            "all of it": self._take,
        }

    def _check(self) -> None:
        for one in self._batches:
            columns = batch.columns_of(one.events)
            batch._belong(columns, one.header.room_id)
            batch.fingerprints_of(columns.event_id)
            for name, events in batch.group_by_type(one.events).items():
                batch._agree(name, events, [event.ordering_key for event in events], plain=True)

    def _step(self) -> None:
        rooms: dict[str, tuple[bytes | None, dict[str, bytes]]] = {}
        for header, data in self._records:
            saved, kept = rooms.get(header.room_id, (None, {}))
            state, keys = read_room(saved), KeyStates(kept.get)
            at = header.sent_at + ARRIVAL_MS
            step = Step(header.room_id, state, keys, DEFAULT_RULES, at, LAKE_OUTPUTS)
            step.process(Record(data, "shard", "1", at))
            kept.update(keys.written())
            rooms[header.room_id] = write_room(state), kept

    def _take(self) -> None:
        rooms: dict[str, RoomInBytes] = {}
        for header, data in self._records:
            room = rooms.get(header.room_id) or rooms.setdefault(header.room_id, RoomInBytes(header.room_id))
            at = header.sent_at + ARRIVAL_MS
            room.take(Record(data, "shard", "1", at), at)


def measure(events: int) -> dict[str, float]:
    """Nanoseconds of CPU time an event, by stage."""
    data = prepared(InputSpec(events=events), load_settings().data / "bench")
    stages = Stages([record for path in data.records for record in read_records(path)]).all()
    gc.collect()
    gc.freeze()
    best = dict.fromkeys(stages, float("inf"))
    for _ in range(_PASSES):
        for name, run in stages.items():
            started = time.process_time()
            run()
            best[name] = min(best[name], (time.process_time() - started) / data.count * 1e9)
    return best


def main(
    events: Annotated[int, typer.Option(help="Events of the input.", min=1_000)] = _EVENTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
) -> None:
    """Print nanoseconds of CPU time an event, stage by stage."""
    found = measure(events)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for name, nanoseconds in found.items():
        typer.echo(f"{name:40} {nanoseconds:8,.0f} ns")


if __name__ == "__main__":
    typer.run(main)
