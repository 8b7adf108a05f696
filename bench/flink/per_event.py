"""The same task in PyFlink as one would first write it: event by event, keyed by a lambda, a Row per event out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pyflink.common import Duration, Row, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.datastream.state import MapStateDescriptor

from bench.flink.submission import begin, insert_deduplicated

ENVELOPE: Final = (
    "event_id", "type", "version", "room_id", "session_id", "user_id", "ordering_key", "sequence", "occurred_at",
    "received_at",
)  # fmt: skip
PAYLOAD: Final = (
    "document_id", "base_sequence", "checksum", "display_name", "text", "reply_to", "execution_id", "language", "image",
    "worker_id", "outcome", "exit_code", "cpu_ms", "wall_ms", "peak_memory_bytes", "stream", "chunk",
)  # fmt: skip
"""What is taken as it is."""
DERIVED: Final = ("position", "selection_start", "selection_end", "detail", "patches", "parents")
NUMBERS: Final = frozenset(
    {
        "version", "sequence", "occurred_at", "received_at", "base_sequence", "checksum", "position", "selection_start",
        "selection_end", "exit_code", "cpu_ms", "wall_ms", "peak_memory_bytes", "chunk",
    }
)  # fmt: skip


class DropDuplicates(KeyedProcessFunction):
    """Passes an event on where nothing has come yet in its place of its sequence."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state: the places of a room that are taken."""
        self._seen = runtime_context.get_map_state(MapStateDescriptor("seen", Types.STRING(), Types.BOOLEAN()))

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:  # noqa: ARG002
        """Take in one event as JSON."""
        event = json.loads(value)
        place = f"{event['ordering_key']}#{event['sequence']}"
        if self._seen.contains(place):
            return
        self._seen.put(place, True)
        yield to_row(event)


def to_row(event: dict[str, Any]) -> Row:
    """The columns that the tables are made of."""
    payload = event["payload"]
    selection = payload.get("selection") or (None, None)
    return Row(
        *[event[name] for name in ENVELOPE],
        *[payload.get(name) for name in PAYLOAD],
        payload.get("position", payload.get("characters")),
        *selection,
        payload.get("client") or payload.get("reason") or payload.get("language"),
        _json(payload.get("patches")),
        _json(payload.get("parents")),
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def main() -> None:
    """Submit the job."""
    job = begin()
    columns = [*ENVELOPE, *PAYLOAD, *DERIVED]
    row = Types.ROW_NAMED(columns, [Types.LONG() if name in NUMBERS else Types.STRING() for name in columns])
    files = [str(path) for path in sorted(Path(job.settings.stream_name).glob("*.jsonl"))]
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), *files)
    if job.endless:
        source.monitor_continuously(Duration.of_hours(1))
    events = job.env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "events")
    rooms = events.key_by(lambda line: json.loads(line)["room_id"], key_type=Types.STRING())
    rows = rooms.process(DropDuplicates(), output_type=row)
    job.tables.create_temporary_view("deduplicated", job.tables.from_data_stream(rows))
    insert_deduplicated(job)


if __name__ == "__main__":
    main()
