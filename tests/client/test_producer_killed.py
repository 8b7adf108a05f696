"""A producer's process is killed with -9: what was flushed is on the stream, and every record there is whole."""

import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from codewave.contract.frame import Header, unframe

PROGRAM = Path(__file__).with_name("endless_producer.py")


def run_until_killed(path: Path, collector: str) -> int:
    """Returns the number of events flushed before the kill."""
    with subprocess.Popen([sys.executable, PROGRAM, path, collector], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        flushed = [int(process.stdout.readline()) for _ in range(3)]
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]
    return int(rest[-1]) if rest else flushed[-1]


def stored(path: Path) -> list[tuple[Header, list[bytes]]]:
    data, found = path.read_bytes(), []
    while data:
        (size,) = struct.unpack_from(">I", data)
        assert len(data) >= 4 + size, "a record cut short"
        header, lines = unframe(data[4 : 4 + size])
        assert header is not None
        found.append((header, lines))
        data = data[4 + size :]
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, list[tuple[Header, list[bytes]]]]]:
    """Collector id → events flushed before its kill, and the records of a stream that both runs wrote to."""
    path = tmp_path_factory.mktemp("killed") / "stream"
    flushed = {collector: run_until_killed(path, collector) for collector in ("web-1", "web-2")}
    records = stored(path)
    return {
        collector: (count, [record for record in records if record[0].collector == collector])
        for collector, count in flushed.items()
    }


def test_batch_numbers_of_each_run_start_at_1_and_miss_at_most_the_calls_under_way(runs):
    for _, records in runs.values():
        batches = [header.batch for header, _ in records]
        assert min(batches) == 1
        assert len(set(batches)) == len(batches)
        missing = set(range(1, max(batches) + 1)) - set(batches)
        assert len(missing) <= 5  # under way when killed: at most a record for each room


def test_everything_flushed_before_the_kill_is_there_once_and_in_order(runs):
    for flushed, records in runs.values():
        for room in range(5):
            sequences = [
                msgspec.json.decode(line)["sequence"]
                for header, lines in records
                if header.room_id == f"room-{room}"
                for line in lines
            ]
            assert sequences == list(range(1, len(sequences) + 1))
            assert len(sequences) >= flushed // 5
