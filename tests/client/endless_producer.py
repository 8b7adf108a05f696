"""A process that sends until it is killed: records go to a file, flushed sequences to standard output."""

import os
import struct
import sys

from fake_stream import Chatter

from codewave.client import Producer, ProducerSettings


def main(path: str, collector: str) -> None:
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def store(records: list[tuple[str, bytes]]) -> list[str | None]:
        for _, data in records:
            os.write(out, struct.pack(">I", len(data)) + data)  # one call: a record is there whole or not at all
        return [None] * len(records)

    producer = Producer(store, ProducerSettings(collector=collector, linger_ms=1))
    chatter = Chatter()
    for number in range(1, 10_000_000):
        producer.send(chatter.message(f"room-{number % 5}", f"message {number}"))
        if number % 500 == 0:
            producer.flush()
            print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
