"""Faults of the stream: calls throttled, answered in part or carried out unanswered, shards split and merged."""

import json
import threading
import time
from collections import Counter
from random import Random
from typing import Any, Final

from msgspec import Struct, structs

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.faults.proxy import Answer, Ask, HangupError, Request
from codewave.faults.waiting import wait_until
from codewave.local.kinesis import describe_stream, kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

THROTTLED: Final = "ProvisionedThroughputExceededException"
"""What Kinesis answers, for a call or for one of its records, beyond a shard's limits (AWS, Kinesis API reference)."""

_MESSAGE: Final = "Rate exceeded for shard shardId-000000000000"
_CBOR: Final = "application/x-amz-cbor-1.1"
"""What the job's client speaks; the producer's speaks JSON."""
_THROTTLING_S: Final = 30.0
_RESHARDING_S: Final = 20.0
_STREAM_DEADLINE_S: Final = 30.0
_POLL_S: Final = 0.1


class Shares(Struct, frozen=True, kw_only=True):
    """How many of the calls meet with what; 0 to 1."""

    put_throttled: float = 0.15
    """PutRecords refused whole."""
    put_in_part: float = 0.3
    """PutRecords with some of its records refused, at least one."""
    put_unanswered: float = 0.1
    """PutRecords carried out, but the connection ends without an answer: what it carried is sent again."""
    get_throttled: float = 0.3
    """GetRecords refused."""


class Throttling:
    """A rule for the stream's proxy: it answers as a stream does that gets more than it may."""

    def __init__(self, random: Random, shares: Shares = Shares()) -> None:  # noqa: B008 - frozen
        self.calls: Counter[str] = Counter()
        """How many calls met with what, by the names of :class:`Shares`."""
        self._random = random
        self._shares = shares
        self._lock = threading.Lock()

    def __call__(self, request: Request, ask: Ask) -> Answer:
        """Answer one call."""
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation == "PutRecords":
            return self._put(request, ask)
        if operation == "GetRecords" and self._draw({"get_throttled": self._shares.get_throttled}):
            return throttled(request)
        return ask()

    def _put(self, request: Request, ask: Ask) -> Answer:
        shares = self._shares
        drawn = self._draw(
            {
                "put_throttled": shares.put_throttled,
                "put_in_part": shares.put_in_part,
                "put_unanswered": shares.put_unanswered,
            }
        )
        if drawn == "put_throttled":
            return throttled(request)
        if drawn == "put_in_part":
            return put_in_part(request, ask, self._random)
        answer = ask()
        if drawn == "put_unanswered":
            raise HangupError
        return answer

    def _draw(self, shares: dict[str, float]) -> str | None:
        with self._lock:
            drawn = self._random.random()
            for name, share in shares.items():
                if drawn < share:
                    self.calls[name] += 1
                    return name
                drawn -= share
        return None


def throttled(request: Request) -> Answer:
    """The refusal of a whole call, in the encoding it came in."""
    fields = {"__type": THROTTLED, "message": _MESSAGE}
    kind = request.headers.get("Content-Type", "")
    body = _cbor_map(fields) if kind == _CBOR else json.dumps(fields).encode()
    return Answer(400, body, {"Content-Type": kind, "x-amzn-ErrorType": THROTTLED})


def put_in_part(request: Request, ask: Ask, random: Random) -> Answer:
    """Pass on only some records of a PutRecords, and answer for each in its place; at least one is refused."""
    call = json.loads(request.body)
    records = call["Records"]
    refused = {random.randrange(len(records))} | {n for n in range(len(records)) if random.random() < 0.5}
    passed = [record for number, record in enumerate(records) if number not in refused]
    told: dict[str, Any] = {"Records": [], "FailedRecordCount": 0, "EncryptionType": "NONE"}
    headers = {"Content-Type": request.headers["Content-Type"]}
    if passed:
        answer = ask(structs.replace(request, body=json.dumps(call | {"Records": passed}).encode()))
        if answer.status != 200:
            return answer
        told, headers = json.loads(answer.body), dict(answer.headers)
    stored = iter(told["Records"])
    failure = {"ErrorCode": THROTTLED, "ErrorMessage": _MESSAGE}
    told["Records"] = [failure if number in refused else next(stored) for number in range(len(records))]
    told["FailedRecordCount"] += len(refused)
    return Answer(200, json.dumps(told).encode(), headers)


def _cbor_map(fields: dict[str, str]) -> bytes:
    """A map of short texts (RFC 8949, section 3: major types 5 and 3)."""
    texts = [text.encode() for pair in fields.items() for text in pair]
    sized = [bytes([0x60 + len(text)] if len(text) < 24 else [0x78, len(text)]) + text for text in texts]
    return bytes([0xA0 + len(fields)]) + b"".join(sized)


def open_shards(settings: LocalSettings, namespace: Namespace) -> list[dict[str, Any]]:
    """Kinesis' description of the shards that take records now, by the keys that they take."""
    shards = kinesis_client(settings).list_shards(StreamName=namespace.stream, MaxResults=1000)["Shards"]
    taking = [shard for shard in shards if not shard["SequenceNumberRange"].get("EndingSequenceNumber")]
    return sorted(taking, key=_first_key)


def split_shard(settings: LocalSettings, namespace: Namespace, random: Random) -> str:
    """Split an open shard in the middle of its keys; returns its id.

    :raises CodewaveError: if the stream does not become active again.
    """
    shard = random.choice(open_shards(settings, namespace))
    middle = (_first_key(shard) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
    kinesis_client(settings).split_shard(
        StreamName=namespace.stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
    )
    _wait_until_active(settings, namespace)
    return str(shard["ShardId"])


def merge_shards(settings: LocalSettings, namespace: Namespace, random: Random) -> tuple[str, str]:
    """Merge two open shards that are neighbours; returns their ids.

    :raises CodewaveError: if there is only one, or the stream does not become active again.
    """
    shards = open_shards(settings, namespace)
    if len(shards) < 2:
        raise CodewaveError(f"kinesis: stream {namespace.stream} has one open shard; split it before merging")
    first = random.randrange(len(shards) - 1)
    pair = str(shards[first]["ShardId"]), str(shards[first + 1]["ShardId"])
    kinesis_client(settings).merge_shards(
        StreamName=namespace.stream, ShardToMerge=pair[0], AdjacentShardToMerge=pair[1]
    )
    _wait_until_active(settings, namespace)
    return pair


def _first_key(shard: dict[str, Any]) -> int:
    return int(shard["HashKeyRange"]["StartingHashKey"])


def _wait_until_active(settings: LocalSettings, namespace: Namespace) -> None:
    wait_until(
        lambda: (describe_stream(settings, namespace.name) or {}).get("StreamStatus") == "ACTIVE",
        _STREAM_DEADLINE_S,
        f"kinesis: stream {namespace.stream} is not active after",
        _POLL_S,
    )


def stream_throttled(scene: Scene, seconds: float) -> str:
    """Throttle writing and reading, refuse single records, and lose answers."""
    rule = Throttling(Random(scene.random.random()))  # noqa: S311 - draws faults, not keys
    with scene.proxies.stream.ruled(rule):
        time.sleep(seconds)
    met = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(rule.calls.items()))
    return f"throttled the stream: {met or 'no call came'}"


def resharded(scene: Scene, seconds: float) -> str:
    """Split a shard, and after a while merge two neighbours: as many shards as before."""
    split = split_shard(scene.settings, scene.namespace, scene.random)
    try:
        time.sleep(seconds)
    finally:
        merged = merge_shards(scene.settings, scene.namespace, scene.random)
    return f"split {split} and merged {merged[0]} with {merged[1]}"


STREAM_FAULTS: Final = (
    Fault(
        name="throttle-stream",
        summary="calls and single records are refused as too many, answers are lost after the records were stored",
        strike=stream_throttled,
        longest_s=_THROTTLING_S,
    ),
    Fault(
        name="reshard-stream",
        summary="a shard is split, two neighbours are merged",
        strike=resharded,
        longest_s=_RESHARDING_S,
    ),
)
