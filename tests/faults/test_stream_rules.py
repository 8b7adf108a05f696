"""The stream's proxy throttles as Kinesis does: the producer's client and the job's understand it."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from botocore.parsers import RpcV2CBORParser

from codewave.client.errors import RetryableTransportError
from codewave.client.kinesis import kinesis_transport
from codewave.faults.proxy import FaultProxy, Request
from codewave.faults.stream import THROTTLED, Shares, Throttling, throttled

NEVER = Shares(put_throttled=0, put_in_part=0, put_unanswered=0, get_throttled=0)
RECORDS = [(f"room-{number}", str(number).encode()) for number in range(20)]


class _Stream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stored: list[str]

    def do_POST(self) -> None:
        records = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Records"]
        self.stored += [record["PartitionKey"] for record in records]
        answers = [{"SequenceNumber": record["PartitionKey"], "ShardId": "shardId-000000000000"} for record in records]
        body = json.dumps({"FailedRecordCount": 0, "Records": answers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stored() -> list[str]:
    """Partition keys of what the stream holds, in order."""
    return []


@pytest.fixture
def proxy(stored: list[str]) -> Iterator[FaultProxy]:
    """A proxy in front of a stream that takes everything."""
    handler = type("Handler", (_Stream,), {"stored": stored})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with FaultProxy(f"http://127.0.0.1:{server.server_address[1]}") as made:
        yield made
    server.shutdown()
    server.server_close()


def with_share(**share: float) -> Throttling:
    return Throttling(Random(1), Shares(**{name: share.get(name, 0.0) for name in NEVER.__struct_fields__}))


def test_a_call_refused_whole_is_throttling_and_stores_nothing(proxy: FaultProxy, stored: list[str]) -> None:
    proxy.rule = with_share(put_throttled=1)
    with pytest.raises(RetryableTransportError) as caught:
        kinesis_transport(proxy.url, "us-east-1", "s")(RECORDS)
    assert (caught.value.code, stored) == (THROTTLED, [])


def test_each_record_of_a_call_refused_in_part_is_answered_in_its_place(proxy: FaultProxy, stored: list[str]) -> None:
    proxy.rule = with_share(put_in_part=1)
    codes = kinesis_transport(proxy.url, "us-east-1", "s")(RECORDS)
    assert set(codes) == {None, THROTTLED}
    assert stored == [key for (key, _), code in zip(RECORDS, codes, strict=True) if code is None]


def test_a_single_record_refused_in_part_is_not_passed_on(proxy: FaultProxy, stored: list[str]) -> None:
    proxy.rule = with_share(put_in_part=1)
    assert kinesis_transport(proxy.url, "us-east-1", "s")(RECORDS[:1]) == [THROTTLED]
    assert stored == []


def test_a_call_without_an_answer_has_stored_its_records(proxy: FaultProxy, stored: list[str]) -> None:
    proxy.rule = with_share(put_unanswered=1)
    with pytest.raises(RetryableTransportError):
        kinesis_transport(proxy.url, "us-east-1", "s")(RECORDS)
    assert stored == [key for key, _ in RECORDS]


def test_without_shares_every_call_passes(proxy: FaultProxy) -> None:
    proxy.rule = Throttling(Random(1), NEVER)
    assert kinesis_transport(proxy.url, "us-east-1", "s")(RECORDS) == [None] * len(RECORDS)


def test_the_jobs_client_is_refused_in_its_own_encoding() -> None:
    kind = "application/x-amz-cbor-1.1"
    answer = throttled(Request("POST", "/", {"Content-Type": kind}, b""))
    decoded = RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(answer.body)))
    assert (answer.status, answer.headers["Content-Type"], decoded["__type"]) == (400, kind, THROTTLED)


def test_the_same_random_numbers_make_the_same_faults(proxy: FaultProxy) -> None:
    seen = []
    for _ in range(2):
        proxy.rule = Throttling(Random(4))
        transport = kinesis_transport(proxy.url, "us-east-1", "s")
        calls = []
        for _ in range(20):
            try:
                calls.append(tuple(transport(RECORDS)))
            except RetryableTransportError as error:
                calls.append((error.code,))
        seen.append(calls)
    assert seen[0] == seen[1]
