"""The cache answers what Flink would, asks it once, tells it before a checkpoint, and stays within its bytes."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs.room_events.state_cache import ENDED_KEPT, ROOM_KEPT_MS, TOGETHER_BYTES, StateCache
from udfs.state import RoomState, write_room


class State(NamedTuple):
    """The state of all rooms."""

    rooms: dict[str, bytes]
    keys: dict[tuple[str, str], bytes]

    def copy(self) -> "State":
        return State(dict(self.rooms), dict(self.keys))


class Flink:
    """A subtask's state in Flink, and which room the context is at."""

    def __init__(self) -> None:
        self.has = State({}, {})
        self.at = ""
        self.asked = 0
        self.told: list[str] = []
        """Rooms and ``room/key`` in the order in which they were written."""

    def value(self) -> bytes | None:
        self.asked += 1
        return self.has.rooms.get(self.at)

    def update(self, state: bytes) -> None:
        self.told.append(self.at)
        self.has.rooms[self.at] = state

    def get(self, ordering_key: str) -> bytes | None:
        self.asked += 1
        return self.has.keys.get((self.at, ordering_key))

    def put(self, ordering_key: str, state: bytes) -> None:
        self.told.append(f"{self.at}/{ordering_key}")
        self.has.keys[self.at, ordering_key] = state

    def cache(self, limit_bytes: int = 10_000, together_bytes: int = TOGETHER_BYTES) -> StateCache:
        return StateCache(self, self, limit_bytes, together_bytes)

    def step(self, cache: StateCache, room: bytes, ended: Collection[str] = (), **keys: bytes) -> None:
        """Leave this of the room that the context is at."""
        cache.change(self.at, room, list(keys.items()), ended)

    def checkpoint(self, cache: StateCache, rooms: Iterable[str]) -> None:
        """Mark these rooms."""
        for self.at in rooms:
            cache.write(self.at)

    def means(self) -> State:
        """The state that a subtask would find here."""
        rooms, keys = {}, dict(self.has.keys)
        for room_id, value in self.has.rooms.items():
            together = msgspec.msgpack.decode(value)
            rooms[room_id] = together.pop("")
            keys.update({(room_id, key): state for key, state in together.items()})
        return State(rooms, keys)


class Subtask:
    """A subtask as it lives: records, timers, checkpoints and restarts; beside it what plain writing would leave."""

    def __init__(self, limit_bytes: int, together_bytes: int) -> None:
        self.flink = Flink()
        self.plain = State({}, {})
        self._limits = limit_bytes, together_bytes
        self._saved = State({}, {}), State({}, {})
        self._told_then = 0
        self._steps = 0
        self._start()

    def _start(self) -> None:
        self._cache = self.flink.cache(*self._limits)
        self._came: dict[str, None] = {}
        self.now_ms = 0

    def step(self, room_id: str, reads: list[str], writes: dict[str, bytes], ended: list[str], *, timer: bool) -> None:
        self.flink.at = room_id
        room, read = self._cache.enter(room_id, self.now_ms)
        assert room == self.plain.rooms.get(room_id)
        assert [read(name) for name in reads] == [self.plain.keys.get((room_id, name)) for name in reads]
        self._steps += 1
        state = str(self._steps).encode()
        self._cache.change(room_id, state, list(writes.items()), ended)
        self.plain.rooms[room_id] = state
        self.plain.keys.update({(room_id, name): value for name, value in writes.items()})
        if timer:
            self._cache.write(room_id)
        else:
            self._came[room_id] = None

    def checkpoint(self) -> None:
        self.flink.checkpoint(self._cache, self._came)
        self._came.clear()
        assert self.flink.means() == self.plain
        last = {name: number for number, name in enumerate(self.flink.told)}
        assert all(last[room] > last[f"{room}/{key}"] for room, key in self.flink.has.keys), "a room outlives its keys"
        self._saved, self._told_then = (self.flink.has.copy(), self.plain.copy()), len(self.flink.told)

    def restart(self) -> None:
        self.flink.has, self.plain = (state.copy() for state in self._saved)
        del self.flink.told[self._told_then :]
        self._start()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "record", "record", "timer", "checkpoint", "restart"]),
        st.sampled_from(["r1", "r2", "r3"]),
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=300), max_size=3),
        st.sampled_from([0, 0, 1, ROOM_KEPT_MS]),
        st.booleans(),
    ),
    min_size=10,
    max_size=60,
)


@given(STEPS, st.sampled_from([0, 700, 2_000, 100_000]), st.sampled_from([0, 200, 500, 10_000]))
def test_a_checkpoint_holds_what_plain_writing_would_whatever_comes_before_it(
    steps: list, limit_bytes: int, together_bytes: int
) -> None:
    subtask = Subtask(limit_bytes, together_bytes)
    for what, room_id, reads, writes, later_ms, first_ends in steps:
        subtask.now_ms += later_ms
        if what == "checkpoint":
            subtask.checkpoint()
        elif what == "restart":
            subtask.restart()
        else:
            subtask.step(room_id, reads, writes, list(writes)[:first_ends], timer=what == "timer")
    subtask.checkpoint()


def test_flink_is_asked_once_for_a_room_and_each_of_its_keys() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    flink.has.rooms["r1"] = msgspec.msgpack.encode({"": b"written before this subtask's start", "b": b"1"})
    flink.has.keys["r1", "a"] = b"1"
    for _ in range(3):
        _, read = cache.enter("r1", 0)
        assert [read(key) for key in ("a", "b", "missing")] == [b"1", b"1", None]
        flink.step(cache, b"room", a=b"1")
    assert flink.asked == 3, "for the room, the key that is not written with it, and the missing one"


def test_flink_is_told_at_a_checkpoint_of_a_room_that_has_changed_with_its_keys() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    for state in (b"1", b"2"):
        cache.enter("r1", 0)[1]("c")
        flink.step(cache, state, a=state, b=state)
    assert flink.told == []
    flink.checkpoint(cache, ["r1"])
    assert flink.told == ["r1"]
    assert flink.means() == State({"r1": b"2"}, {("r1", "a"): b"2", ("r1", "b"): b"2"})
    cache.enter("r1", 0)
    flink.step(cache, b"3", b=b"3")
    flink.checkpoint(cache, ["r1", "unknown", "r1"])
    assert flink.told == ["r1", "r1"]
    assert flink.means() == State({"r1": b"3"}, {("r1", "a"): b"2", ("r1", "b"): b"3"})


def test_of_more_keys_than_are_written_with_a_room_those_that_changed_longest_ago_are_written_apart() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(together_bytes=700), "r1"
    for keys in ({"a": b"x" * 300, "b": b"x" * 300, "c": b"x" * 300}, {"a": b"y" * 300}):
        cache.enter("r1", 0)
        flink.step(cache, b"room", **keys)
    flink.checkpoint(cache, ["r1"])
    assert flink.told == ["r1/b", "r1"], "the room last"
    asked = flink.asked
    assert cache.enter("r1", 0)[1]("b") == b"x" * 300
    assert flink.asked == asked, "it is known what was written"
    flink.step(cache, b"room", b=b"y" * 300)
    flink.checkpoint(cache, ["r1"])
    assert flink.told[2:] == ["r1/c", "r1"]
    assert flink.means().keys == {("r1", key): value * 300 for key, value in (("a", b"y"), ("b", b"y"), ("c", b"x"))}


def test_a_key_that_waits_for_much_is_written_apart() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(limit_bytes=4_000_000), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", a=b"x" * 1_000_000)
    flink.checkpoint(cache, ["r1"])
    assert flink.told == ["r1/a", "r1"]
    assert len(flink.has.rooms["r1"]) < 100


def test_a_room_that_was_saved_before_it_was_written_with_its_keys_is_read() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    saved = write_room(RoomState(clock=5, shard_id="shard-1"))
    flink.has.rooms["r1"], flink.has.keys["r1", "a"] = saved, b"1"
    room, read = cache.enter("r1", 0)
    assert (room, read("a"), read("b")) == (saved, b"1", None)
    flink.step(cache, b"room", a=b"2")
    flink.checkpoint(cache, ["r1"])
    assert flink.means() == State({"r1": b"room"}, {("r1", "a"): b"2"})


def test_flink_is_not_asked_for_the_keys_of_a_room_without_state() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    for _ in range(2):
        _, read = cache.enter("r1", 0)
        assert read("missing") is None
        flink.step(cache, b"room", a=b"1")
        flink.checkpoint(cache, ["r1"])
    assert flink.asked == 1, "for the room"


def test_a_key_that_has_ended_is_written_and_left_out_at_once() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", execution=b"1")
    flink.step(cache, b"room", ["execution"], execution=b"2")
    assert flink.told == ["r1/execution"]
    asked = flink.asked
    assert cache.enter("r1", 0)[1]("execution") == b"2"
    assert flink.asked == asked + 1, "though the room was new"
    flink.checkpoint(cache, ["r1"])
    assert flink.told == ["r1/execution", "r1"]


def test_of_the_rooms_that_flink_has_the_one_written_longest_ago_goes_first() -> None:
    flink = Flink()
    cache = flink.cache(limit_bytes=1_500)
    for flink.at in ("r1", "r2", "r1", "r3"):
        cache.enter(flink.at, 0)
        flink.step(cache, b"room", a=b"x" * 300)
        cache.write(flink.at)
    asked = flink.asked
    for flink.at in ("r1", "r3"):
        cache.enter(flink.at, 0)[1]("a")
    assert flink.asked == asked
    flink.at = "r2"
    cache.enter("r2", 0)
    assert flink.asked == asked + 1


def test_where_no_room_may_go_the_one_at_hand_is_written_at_once_and_goes() -> None:
    flink = Flink()
    cache = flink.cache(limit_bytes=1_500)
    for flink.at in ("r1", "r2", "r3", "r4"):
        cache.enter(flink.at, 0)
        flink.step(cache, b"room", a=b"x" * 300)
    assert flink.told == ["r3", "r4"]
    asked = flink.asked
    for flink.at in ("r1", "r2"):
        cache.enter(flink.at, 0)[1]("a")
    assert flink.asked == asked
    flink.at = "r3"
    assert cache.enter("r3", 0)[1]("a") == b"x" * 300
    assert flink.asked == asked + 1
    flink.checkpoint(cache, ["r1", "r2", "r3", "r4"])
    assert len(flink.means().rooms) == len(flink.means().keys) == 4


def test_after_a_day_a_room_is_read_anew_as_its_state_may_have_expired() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(together_bytes=0), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", a=b"1")
    flink.checkpoint(cache, ["r1"])
    flink.has.keys.clear()  # Flink's time to live
    assert cache.enter("r1", ROOM_KEPT_MS - 1)[1]("a") == b"1"
    assert cache.enter("r1", ROOM_KEPT_MS)[1]("a") is None


def test_a_room_that_has_changed_is_written_before_it_is_read_anew() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", a=b"1")
    room, read = cache.enter("r1", ROOM_KEPT_MS)
    assert (room, read("a")) == (b"room", b"1")
    assert flink.told == ["r1"]


def test_a_timer_is_set_once_until_it_fires_or_another_is_set() -> None:
    flink = Flink()
    cache = flink.cache()
    assert cache.is_new_timer("unknown", 5)
    cache.enter("r1", 0)
    assert [cache.is_new_timer("r1", at) for at in (5, 5, 6, 5)] == [True, False, True, True]
    cache.timer_fired("r1")
    assert cache.is_new_timer("r1", 5)
    cache.timer_fired("unknown")


def test_keys_that_have_ended_take_no_room_from_those_in_use() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(limit_bytes=ENDED_KEPT * 150), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", a=b"x" * 300)
    for number in range(3 * ENDED_KEPT):
        name = f"execution{number}"
        cache.enter("r1", 0)[1](name)
        flink.step(cache, b"room", [name], **{name: b"x" * 300})
    asked = flink.asked
    assert cache.enter("r1", 0)[1]("a") == b"x" * 300
    assert flink.asked == asked


def test_which_keys_have_ended_is_known_of_so_many_that_flink_is_not_asked_for_others() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(limit_bytes=1_000_000), "r1"
    names = [f"execution{number}" for number in range(ENDED_KEPT + 1)]
    cache.enter("r1", 0)
    for name in names[:-1]:
        flink.step(cache, b"room", [name], **{name: b"1"})
    assert cache.enter("r1", 0)[1]("new") is None
    assert flink.asked == 1, "for the room"
    flink.step(cache, b"room", names[-1:], **{names[-1]: b"1"})
    assert cache.enter("r1", 0)[1]("newer") is None
    assert flink.asked == 2
    assert [cache.enter("r1", 0)[1](name) for name in names] == [b"1"] * len(names)


def test_a_key_that_had_ended_and_came_again_is_read_once() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    cache.enter("r1", 0)
    flink.step(cache, b"room", ["execution"], execution=b"1")
    for _ in range(2):
        assert cache.enter("r1", 0)[1]("execution") == b"1"
    assert flink.asked == 2, "for the room and the key"
    flink.step(cache, b"room", execution=b"2")
    flink.checkpoint(cache, ["r1"])
    assert flink.means().keys == {("r1", "execution"): b"2"}
