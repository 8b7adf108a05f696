"""The cache answers what Flink would, asks it once, and stays within its bytes."""

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from flink_jobs.room_events.state_cache import ROOM_KEPT_MS, StateCache


class Flink:
    """The state of all rooms, and which room the context is at."""

    def __init__(self) -> None:
        self.rooms: dict[str, bytes] = {}
        self.keys: dict[tuple[str, str], bytes] = {}
        self.at = ""
        self.asked = 0

    def room(self) -> bytes | None:
        self.asked += 1
        return self.rooms.get(self.at)

    def key(self, ordering_key: str) -> bytes | None:
        self.asked += 1
        return self.keys.get((self.at, ordering_key))

    def cache(self, limit_bytes: int = 10_000) -> StateCache:
        return StateCache(self.room, self.key, limit_bytes)

    def write(self, cache: StateCache, room: bytes, ended: Collection[str] = (), **keys: bytes) -> None:
        """Write as the operator does: to Flink, then note it."""
        self.rooms[self.at] = room
        for name, state in keys.items():
            self.keys[self.at, name] = state
        cache.written(self.at, room, list(keys.items()), ended)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["r1", "r2", "r3"]),
        st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.binary(max_size=300), max_size=3),
        st.sampled_from([0, 0, 1, ROOM_KEPT_MS]),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([0, 700, 2_000, 100_000]))
def test_it_answers_what_flink_would(steps: list, limit_bytes: int) -> None:
    flink = Flink()
    cache, now_ms = flink.cache(limit_bytes), 0
    for number, (flink.at, reads, writes, later_ms, first_ends) in enumerate(steps):
        now_ms += later_ms
        room, read = cache.enter(flink.at, now_ms)
        assert room == flink.rooms.get(flink.at)
        assert [read(name) for name in reads] == [flink.keys.get((flink.at, name)) for name in reads]
        flink.write(cache, str(number).encode(), list(writes)[:first_ends], **writes)


def test_flink_is_asked_once_for_a_room_and_each_of_its_keys() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    flink.rooms["r1"] = b"written before this subtask's start"
    for _ in range(3):
        _, read = cache.enter("r1", 0)
        read("a")
        read("missing")
        flink.write(cache, b"room", a=b"1")
    assert flink.asked == 3


def test_flink_is_not_asked_for_the_keys_of_a_room_without_state() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    for _ in range(2):
        _, read = cache.enter("r1", 0)
        assert read("missing") is None
        flink.write(cache, b"room", a=b"1")
    assert flink.asked == 1, "for the room"


def test_flink_is_asked_for_a_key_of_a_new_room_that_was_left_out_as_it_had_ended() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    cache.enter("r1", 0)
    flink.write(cache, b"room", ["execution"], execution=b"1")
    asked = flink.asked
    assert cache.enter("r1", 0)[1]("execution") == b"1"
    assert flink.asked == asked + 1


def test_the_room_used_longest_ago_goes_first() -> None:
    flink = Flink()
    cache = flink.cache(limit_bytes=1_500)
    for flink.at in ("r1", "r2", "r1", "r3"):
        cache.enter(flink.at, 0)
        flink.write(cache, b"room", a=b"x" * 300)
    asked = flink.asked
    for flink.at in ("r1", "r3"):
        cache.enter(flink.at, 0)[1]("a")
    assert flink.asked == asked
    flink.at = "r2"
    cache.enter("r2", 0)
    assert flink.asked == asked + 1


def test_after_a_day_a_room_is_read_anew_as_its_state_may_have_expired() -> None:
    flink = Flink()
    cache, flink.at = flink.cache(), "r1"
    cache.enter("r1", 0)
    flink.write(cache, b"room", a=b"1")
    flink.keys.clear()  # Flink's time to live
    assert cache.enter("r1", ROOM_KEPT_MS - 1)[1]("a") == b"1"
    assert cache.enter("r1", ROOM_KEPT_MS)[1]("a") is None


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
    cache, flink.at = flink.cache(limit_bytes=1_500), "r1"
    cache.enter("r1", 0)
    flink.write(cache, b"room", a=b"x" * 300)
    for number in range(100):
        name = f"execution{number}"
        cache.enter("r1", 0)[1](name)
        flink.write(cache, b"room", [name], **{name: b"x" * 300})
    asked = flink.asked
    assert cache.enter("r1", 0)[1]("a") == b"x" * 300
    assert flink.asked == asked
