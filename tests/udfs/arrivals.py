"""Events of one room as they arrive, in any order and state: what Hypothesis draws to test sequencing."""

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import example_rooms as rooms
from hypothesis import strategies as st
from sequence_model import Arrival, Bounds, Room
from stream import ARRIVED_MS, STATE_TTL_MS

from codewave.contract.fields import MAX_INT
from codewave.contract.frame import Header, frame
from udfs.rules import Rules

EVENT_TABLES = ("document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs")

KEYS = ("document:main-py", "document:main-py/ada", "session:tab-ada", "session:tab-grace")
"""The ordering keys in play: a document, one writer's operations on it, and two sessions."""
EXECUTION = f"execution:{rooms.EXECUTION}"
"""One more, where executions are wanted too."""
GOOD, OTHER, REFUSED, LARGE, HUGE = range(5)
"""What comes: the event, another in its place, the event spoilt, the event with much text, and with still more."""
_CHARACTERS = {LARGE: 700, HUGE: 3_000}


def bounds_of(rules: Rules) -> Bounds:
    """The model's bounds where the stream has these rules."""
    return Bounds(
        gap_timeout_ms=rules.gap_timeout_ms,
        pending_events=rules.pending_events,
        pending_bytes=rules.pending_bytes,
        waiting_keys=rules.waiting_keys,
        holes=rules.holes,
        fingerprints=rules.fingerprints,
        idle_ms=STATE_TTL_MS,
    )


class Offered(NamedTuple):
    """An event as bytes, and what a model has to know of it."""

    line: bytes
    arrival: Arrival


@cache
def offered(key: str, number: int, kind: int = GOOD) -> Offered:
    """The event with that number along ``key``: the same one whenever it is asked for, in every kind but OTHER."""
    event_id = rooms.uuid7(f"other {key}" if kind == OTHER else key, number)
    line = _line(key, number, event_id, "x" * _CHARACTERS.get(kind, 1))
    if kind == REFUSED:
        line = line.replace(b'"version":1', b'"version":0')
    return Offered(line, Arrival(key, number, event_id, len(line), kind == REFUSED))


def _line(key: str, number: int, event_id: str, text: str) -> bytes:
    envelope = {"at": rooms.START_MS, "event_id": event_id}
    if key.startswith("document:"):
        event = rooms.edit(number, text, **envelope)
        event.ordering_key = key
    elif key.startswith("session:"):
        writer = rooms.ADA if key.endswith(rooms.ADA.session_id) else rooms.GRACE
        event = rooms.chat(number, text, by=writer, **envelope)
    elif number <= 2:
        event = (rooms.queued if number == 1 else rooms.started)(number, **envelope)
    else:
        event = rooms.finished(number, **envelope) if number % 7 == 0 else rooms.output(number, text, **envelope)
    return rooms.encode(event)


def record(events: list[Offered]) -> bytes:
    """One record of these events."""
    encoding = "identity" if len(events) < 100 else "zstd"
    header = Header(1, rooms.ROOM, len(events), encoding, "collector-1", 1, ARRIVED_MS)
    return frame(header, [event.line for event in events])


class Burst(NamedTuple):
    """A run of numbers of one key, as it is drawn: where it starts, and how it goes on."""

    key: str
    anchor: str
    """What ``offset`` counts from: the ``next`` number of the key, its ``start``, or ``far`` away."""
    offset: int
    length: int
    stride: int
    """From one number to the following: 1, 2 to leave every other out, -1 for backwards, 0 for repetitions."""
    kind: int

    def events(self, room: Room) -> list[Offered]:
        """Its events, in the room as it is now."""
        following = room.keys[self.key].next if self.key in room.keys else 1
        start = {"next": following, "start": 1, "far": following + 2**40}[self.anchor]
        numbers = (start + self.offset + self.stride * index for index in range(self.length))
        return [offered(self.key, number, self.kind) for number in numbers if 1 <= number <= MAX_INT]


DELAYS = st.sampled_from([0, 0, 1, 300, 999, 1_000, 1_500])
"""ms until the next thing happens."""


def bursts(
    keys: tuple[str, ...] = KEYS,
    offsets: range = range(-9, 9),
    lengths: tuple[int, ...] = (1, 1, 2, 3, 5),
    kinds: tuple[int, ...] = (GOOD, GOOD, GOOD, GOOD, OTHER, REFUSED, LARGE, HUGE),
) -> st.SearchStrategy[list[Burst]]:
    """Bursts around the numbers that the keys expect, mostly of good events that go on from there."""
    burst = st.builds(
        Burst,
        key=st.sampled_from(keys),
        anchor=st.sampled_from(["next", "next", "next", "next", "next", "next", "start", "far"]),
        offset=st.sampled_from([0, 0, 0, 1, 1, 2, *offsets]),
        length=st.sampled_from(lengths),
        stride=st.sampled_from([1, 1, 2, 3, -1, 0]),
        kind=st.sampled_from(kinds),
    )
    return st.lists(burst, min_size=1, max_size=4)


class Moment(NamedTuple):
    """What arrives at one time."""

    at: int
    events: list[Offered]


@st.composite
def schedules(draw: st.DrawFn, rules: Rules, **of: Any) -> list[Moment]:
    """What arrives in a room, moment by moment; ``of``: as :func:`bursts`."""
    room, at, moments = Room(bounds_of(rules)), ARRIVED_MS, []
    for delay, drawn in draw(st.lists(st.tuples(DELAYS, bursts(**of)), min_size=1, max_size=12)):
        at += delay
        events = [event for burst in drawn for event in burst.events(room)]
        room.record([event.arrival for event in events], at, at)
        moments.append(Moment(at, events))
    return moments


def cut(events: list[Offered], cuts: list[int]) -> list[list[Offered]]:
    """The events in parts, cut at these places; at least one part."""
    edges = sorted({0, len(events), *(place % (len(events) + 1) for place in cuts)})
    return [events[start:end] for start, end in pairwise(edges)] or [[]]
