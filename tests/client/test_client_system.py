"""The client library against the stream emulator: what is sent comes back from the shards."""

import re
import socket
from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pytest
from cutting_proxy import CuttingProxy
from fake_stream import Chatter

from codewave.client import Producer, ProducerSettings, kinesis_transport
from codewave.contract.frame import Header, unframe
from codewave.local.kinesis import create_stream, kinesis_client, start_kinesis, stop_kinesis
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings

pytestmark = pytest.mark.system
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = str(tmp_path_factory.mktemp("emulator"))
    settings = msgspec.structs.replace(load_settings(), port_offset=0, kinesis_port=port, data_folder=folder)
    start_kinesis(settings)
    yield settings
    stop_kinesis(settings)


def read_back(settings: LocalSettings, namespace: str) -> list[tuple[str, Header, list[bytes]]]:
    """(partition key, header, events) of every record, shard by shard in the stream's order."""
    client, stream = kinesis_client(settings), Namespace(namespace).stream
    found = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        while records := (answer := client.get_records(ShardIterator=iterator))["Records"]:
            for record in records:
                header, lines = unframe(record["Data"])
                assert header is not None
                found.append((record["PartitionKey"], header, lines))
            iterator = answer["NextShardIterator"]
    return found


def sequences(records: list[tuple[str, Header, list[bytes]]]) -> dict[str, list[int]]:
    rooms: dict[str, list[int]] = defaultdict(list)
    for key, _, lines in records:
        rooms[key] += [msgspec.json.decode(line)["sequence"] for line in lines]
    return dict(rooms)


def send_messages(producer: Producer, rooms: int, each: int) -> dict[str, list[int]]:
    """Returns what has to come back: room → sequences in order."""
    chatter = Chatter()
    for _ in range(each):
        for room in range(rooms):
            producer.send(chatter.message(f"room-{room}"))
    return {f"room-{room}": list(range(1, each + 1)) for room in range(rooms)}


def test_what_is_sent_comes_back_from_the_stream_in_order_within_each_room(emulator):
    create_stream(emulator, "client_order", shards=3)
    transport = kinesis_transport(emulator.kinesis_endpoint, "us-east-1", Namespace("client_order").stream)
    with Producer(transport, ProducerSettings(collector="system-1", linger_ms=10)) as producer:
        sent = send_messages(producer, rooms=20, each=200)
    records = read_back(emulator, "client_order")
    assert sequences(records) == sent
    assert all(key == header.room_id for key, header, _ in records)
    assert sorted(header.batch for _, header, _ in records) == list(range(1, producer.counters.records + 1))


def test_through_connections_that_break_everything_arrives_and_only_whole_records_twice(emulator):
    create_stream(emulator, "client_cuts", shards=2)
    settings = ProducerSettings(collector="system-2", linger_ms=2, batch_events=20, backoff_base_ms=5)
    with CuttingProxy(emulator.port("kinesis"), seed=3) as proxy:
        transport = kinesis_transport(proxy.endpoint, "us-east-1", Namespace("client_cuts").stream)
        with Producer(transport, settings) as producer:
            sent = send_messages(producer, rooms=10, each=300)
        assert proxy.cuts > 3
    records = read_back(emulator, "client_cuts")
    once: dict[int, tuple[str, Header, list[bytes]]] = {}
    for record in records:
        assert once.setdefault(record[1].batch, record) == record, "the same number, other events"
    assert sequences(list(once.values())) == sent
    assert producer.counters.retries > 0
    assert producer.counters.events == 3_000


def test_the_guides_snippets_run(emulator):
    create_stream(emulator, "rooms", shards=1)
    snippets = SNIPPET.findall((PROJECT_ROOT / "docs" / "client.md").read_text(encoding="utf-8"))
    code = "\n".join(snippets).replace("http://127.0.0.1:4567", emulator.kinesis_endpoint)
    exec(compile(code, "docs/client.md", "exec"), {})  # noqa: S102 - our own guide
    kinds = [msgspec.json.decode(line)["type"] for _, _, lines in read_back(emulator, "rooms") for line in lines]
    assert kinds[:2] == ["document.edited", "execution.output"]
    assert kinds[-1] == "chat.posted"
