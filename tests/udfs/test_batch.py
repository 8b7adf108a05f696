"""A record's events placed together become what they become one by one."""

import itertools
import random
from typing import Any

import example_rooms as rooms
import msgspec
import pytest
from arrivals import KEYS, record, schedules
from hypothesis import given
from hypothesis import strategies as st
from stream import ARRIVED_MS, Stream

from codewave.contract.events import EVENT_TYPES
from codewave.contract.frame import Header, frame
from codewave.contract.limits import DEFAULT_LIMITS, Limits
from udfs.batch import fingerprints_of, read_batch
from udfs.decode import Decoder
from udfs.refusal import Refusal
from udfs.room import Step
from udfs.rules import Rules
from udfs.sequence import KeyState
from udfs.state import read_room

EVERY_TYPE = [
    rooms.joined(1),
    rooms.opened(1),
    rooms.edit(2),
    rooms.cursor(2),
    rooms.heartbeat(3),
    rooms.chat(4),
    rooms.snapshot(3, "text"),
    rooms.closed(4),
    rooms.queued(1),
    rooms.started(2),
    rooms.output(3),
    rooms.finished(4),
    rooms.left(5),
]


def framed(*lines: bytes, room: str = rooms.ROOM, count: int | None = None) -> bytes:
    header = Header(1, room, len(lines) if count is None else count, "identity", "c", 1, ARRIVED_MS)
    return msgspec.json.encode(header) + b"\n" + b"\n".join(lines)


def is_read(*lines: bytes, limits: Limits = DEFAULT_LIMITS) -> bool:
    return read_batch(framed(*lines), rooms.ROOM, limits) is not None


def spoilt(event: Any, **fields: Any) -> bytes:
    """The event's bytes with other fields; those of the payload as ``payload={…}``."""
    value = msgspec.json.decode(rooms.encode(event))
    value["payload"] |= fields.pop("payload", {})
    return msgspec.json.encode(value | fields)


def test_events_of_every_type_are_read_together() -> None:
    assert {type(event) for event in EVERY_TYPE} == set(EVENT_TYPES.values())
    batch = read_batch(framed(*map(rooms.encode, EVERY_TYPE)), rooms.ROOM, DEFAULT_LIMITS)
    assert batch is not None
    assert [msgspec.to_builtins(event) for event in batch.events] == [msgspec.to_builtins(one) for one in EVERY_TYPE]
    assert list(batch.by_type) == [str(type(event).__struct_config__.tag) for event in EVERY_TYPE]


def test_an_event_with_fields_of_a_newer_writer_is_read_as_well() -> None:
    assert is_read(rooms.encode(rooms.chat(1)), spoilt(rooms.chat(2), mood="good", payload={"font": {"size": 9}}))


def test_events_whose_writers_number_their_own_are_read_together() -> None:
    own = [spoilt(rooms.edit(number), ordering_key="document:main-py/anna") for number in (1, 2)]
    assert is_read(*own, rooms.encode(rooms.chat(1)), rooms.encode(rooms.edit(1)))


BAD = {
    "no JSON": b"{",
    "another room": rooms.encode(rooms.chat(2, room="room-8")),
    "a newer version": spoilt(rooms.chat(2), version=2),
    "a session that is no id": spoilt(rooms.chat(2), session_id="no id", ordering_key="session:no id"),
    "a user that is no id": spoilt(rooms.chat(2), user_id="a/b"),
    "another ordering key": spoilt(rooms.chat(2), ordering_key="session:other"),
    "the key of another type": spoilt(rooms.chat(2), ordering_key="document:main-py"),
    "a writer that is no id": spoilt(rooms.edit(2), ordering_key="document:main-py/a/b"),
    "a document that is no id": spoilt(rooms.cursor(2), payload={"document_id": "a b"}),
    "a document in the key that is no id": spoilt(
        rooms.edit(2), ordering_key="document:a b", payload={"document_id": "a b"}
    ),
    "a document that is an id and a writer's": spoilt(
        rooms.edit(2), ordering_key="document:a/b", payload={"document_id": "a/b"}
    ),
    "a parent that is no id": spoilt(rooms.edit(2), payload={"parents": [["a b", 1]]}),
    "an answer to no UUID": spoilt(rooms.chat(2), payload={"reply_to": "x" * 36}),
    "a worker that is no id": spoilt(rooms.started(2), payload={"worker_id": "a b"}),
    "an upper-case UUID": spoilt(rooms.chat(2), event_id=rooms.uuid7("a", 2).upper()),
    "a UUID of version 4": spoilt(rooms.chat(2), event_id="01a20579-8b07-405f-97b9-be41a43c6f11"),
    "a UUID of another variant": spoilt(rooms.chat(2), event_id="01a20579-8b07-705f-c7b9-be41a43c6f11"),
    "a UUID with blanks": spoilt(rooms.chat(2), event_id="01a20579-8b07-705f-97b9-be41a43c6f  "),
    "a UUID with its dashes elsewhere": spoilt(rooms.chat(2), event_id="01a205798-b07-705f-97b9-be41a43c6f11"),
    "deep nesting in a field of a newer writer": spoilt(rooms.chat(2)).replace(
        b'"version"', b'"x":' + b"[" * 40 + b"]" * 40 + b',"version"'
    ),
    "an event over the limit": rooms.encode(rooms.chat(2, "x" * 5_000)),
    "two events in a line": rooms.encode(rooms.chat(2)) + rooms.encode(rooms.chat(3)),
    "an event over two lines": rooms.encode(rooms.chat(2)).replace(b'"payload":', b'\n"payload":'),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_record_with_a_bad_event_is_left_to_be_read_one_by_one(bad: bytes) -> None:
    good = [rooms.encode(rooms.edit(1)), rooms.encode(rooms.chat(1))]
    assert is_read(*good)
    assert not is_read(*good, bad)
    assert not is_read(bad, *good)


def test_a_header_that_counts_otherwise_or_is_of_another_room_is_left_alone() -> None:
    line = rooms.encode(rooms.chat(1))
    assert read_batch(framed(line, count=2), rooms.ROOM, DEFAULT_LIMITS) is None
    assert read_batch(framed(line, line), "room-8", DEFAULT_LIMITS) is None
    assert read_batch(line, rooms.ROOM, DEFAULT_LIMITS) is None
    assert read_batch(b"\xff", rooms.ROOM, DEFAULT_LIMITS) is None


@given(st.lists(st.tuples(st.sampled_from(EVERY_TYPE), st.integers(0, 400), st.binary(max_size=2)), max_size=4))
def test_what_is_read_together_is_what_is_accepted_one_by_one(choices: list[tuple[Any, int, bytes]]) -> None:
    """Lines of good events, of which some bytes are replaced by others."""
    lines = []
    for event, place, other in choices:
        line = rooms.encode(event)
        at = place % len(line)
        lines.append((line[:at] + other + line[at + len(other) :]).replace(b"\n", b" "))
    decoder = Decoder(rooms.ROOM, DEFAULT_LIMITS)
    decoded = [decoder.decode(line) for line in lines]
    batch = read_batch(framed(*lines), rooms.ROOM, DEFAULT_LIMITS) if lines else None
    if batch is not None:
        assert not any(isinstance(one, Refusal) for one in decoded)
        assert batch.fingerprints == [one[1] for one in decoded]
        assert [msgspec.to_builtins(event) for event in batch.events] == [
            msgspec.to_builtins(one[0]) for one in decoded
        ]
    elif all(line.isascii() and line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        assert not lines or any(isinstance(one, Refusal) for one in decoded)


def test_the_fingerprints_of_many_are_those_of_each() -> None:
    ids = [rooms.uuid7("a", number) for number in range(60)]
    assert fingerprints_of(ids) == [bytes.fromhex(one.replace("-", ""))[8:] for one in ids]
    assert fingerprints_of([]) == []


class OneByOne(Step):
    """A step that places no events together."""

    together = False


class SlowStream(Stream):
    """The stream with such steps."""

    step = OneByOne


def settled(stream: Stream) -> dict[str, Any]:
    """All that a stream made and remembers, but for the order of rows of different ordering keys."""
    rows = {output: sorted(made, key=_order) for output, made in stream.rows.items() if made}
    keys = {key: msgspec.msgpack.decode(state, type=KeyState) for key, state in stream.keys.items()}
    return {"rows": rows, "keys": keys, "room": read_room(stream.room)}


def _order(row: Any) -> Any:
    if hasattr(row, "by_type"):
        row.by_type.sort(key=lambda counts: (counts.type, counts.hour))
        return ""
    return str(getattr(row, "ordering_key", "") or getattr(row, "execution_id", "") or getattr(row, "document_id", ""))


BOUNDS = [Rules(), Rules(waiting_keys=2), Rules(pending_events=3, pending_bytes=900, holes=2, fingerprints=4)]
"""Those of the contract, and such that a few events reach."""


@given(data=st.data(), rules=st.sampled_from(BOUNDS))
def test_whatever_comes_together_or_one_by_one_makes_the_same(data: st.DataObject, rules: Rules) -> None:
    moments = data.draw(schedules(rules, keys=(*KEYS, "execution:run-1")))
    together, slow = Stream(rules=rules), SlowStream(rules=rules)
    for moment in moments:
        for stream in (together, slow):
            stream.take(record(moment.events), arrived_at=moment.at)
    assert settled(together) == settled(slow)


@pytest.mark.parametrize("seed", range(20))
def test_a_busy_room_with_duplicates_and_reordering_makes_the_same(seed: int) -> None:
    random_ = random.Random(seed)
    keys = [rooms.Writer(f"user-{number}", f"tab-{number}") for number in range(5)]
    following = dict.fromkeys(range(5), 1)
    together, slow = Stream(), SlowStream()
    for _ in range(10):
        events: list[Any] = []
        for _ in range(40):
            number = random_.randrange(5)
            make = random_.choice([rooms.edit, rooms.edit, rooms.chat, rooms.output])
            events.append(_numbered(make, number, following, keys))
            if random_.random() < 0.1:
                events.append(random_.choice(events))
            if random_.random() < 0.1 and len(events) > 1:
                events[-1], events[-2] = events[-2], events[-1]
        data = frame(Header(1, rooms.ROOM, len(events), "zstd", "c", 1, ARRIVED_MS), list(map(rooms.encode, events)))
        for stream in (together, slow):
            stream.take(data)
    assert settled(together) == settled(slow)


CLAIMED_TWICE = [(1, "a"), (2, "a"), (2, "b"), (3, "a"), (3, "a"), (4, "a")]
"""Numbers of one session, each of an event: one comes twice, and one is claimed by two."""
REPEATED = [(1, "a"), (2, "a"), (3, "a"), (3, "a"), (4, "a"), (5, "a")]
MISSING = [(1, "a"), (2, "a"), (3, "a"), (3, "a"), (5, "a")]


@pytest.mark.parametrize("numbers", [CLAIMED_TWICE, REPEATED, MISSING], ids=["claimed twice", "repeated", "missing"])
@pytest.mark.parametrize("rules", [Rules(), Rules(pending_events=2), Rules(pending_bytes=400), Rules(fingerprints=1)])
def test_in_whatever_order_they_come_events_of_a_key_become_the_same(
    rules: Rules, numbers: list[tuple[int, str]]
) -> None:
    for order in sorted(set(itertools.permutations(numbers))):
        together, slow = Stream(rules=rules), SlowStream(rules=rules)
        for stream in (together, slow):
            stream.send(*[rooms.chat(number, event_id=rooms.uuid7(which, number)) for number, which in order])
            stream.send(*[rooms.chat(number, event_id=rooms.uuid7("a", number)) for number in (2, 6, 1)], after_ms=9)
        assert settled(together) == settled(slow), order


@pytest.mark.parametrize("waiting_keys", [1, 2, 3])
def test_a_key_that_waits_within_a_record_counts_among_those_that_may(waiting_keys: int) -> None:
    rules = Rules(waiting_keys=waiting_keys)
    together, slow = Stream(rules=rules), SlowStream(rules=rules)
    grace = [rooms.chat(number, by=rooms.GRACE) for number in (3, 2, 1)]
    for stream in (together, slow):
        stream.send(rooms.edit(2))
        stream.send(rooms.chat(3), *grace)
    assert settled(together) == settled(slow)


def _numbered(make: Any, number: int, following: dict[Any, int], writers: list[rooms.Writer]) -> Any:
    scope = (make, number)
    sequence = following[scope] = following.get(scope, 0) + 1
    if make is rooms.edit:
        return make(sequence, "text", document=f"doc-{number}", by=writers[number])
    if make is rooms.chat:
        return make(sequence, "text", by=writers[number])
    return make(sequence, "text", execution=f"run-{number}")
