"""The stream's own time, shard by shard."""

from udfs.stream_clock import StreamClock

OPENED = 1_000_000


def test_a_shard_is_as_late_as_its_newest_record():
    clock = StreamClock(OPENED, idle_ms=5_000)
    clock.observe("a", 500, OPENED + 10)
    clock.observe("a", 400, OPENED + 20)
    assert clock.read("a", 0, OPENED + 1_000) == 500


def test_another_shard_does_not_move_it():
    clock = StreamClock(OPENED, idle_ms=5_000)
    clock.observe("a", 500, OPENED)
    clock.observe("b", 9_000, OPENED)
    assert clock.read("a", 0, OPENED) == 500


def test_a_silent_shard_goes_on_with_the_wall_clock():
    clock = StreamClock(OPENED, idle_ms=5_000)
    clock.observe("a", 500, OPENED)
    assert clock.read("a", 0, OPENED + 5_000) == 500
    assert clock.read("a", 0, OPENED + 5_001) == 5_501


def test_after_a_restart_time_stands_still_until_the_shard_was_read_or_stays_silent():
    clock = StreamClock(OPENED, idle_ms=5_000)
    assert clock.read("a", 700, OPENED + 4_000) == 700
    assert clock.read("a", 700, OPENED + 6_000) == 6_700


def test_a_shard_is_not_silent_because_the_reader_was_held_up():
    clock = StreamClock(OPENED, idle_ms=5_000)
    clock.observe("a", 500, OPENED)
    assert clock.read("a", 0, OPENED + 9_000, heard_ms=OPENED + 1_000) == 500
    assert clock.read("a", 0, OPENED + 14_000, heard_ms=OPENED + 13_900) == 500
    assert clock.read("a", 0, OPENED + 14_001, heard_ms=OPENED + 14_000) == 14_501


def test_a_shard_is_not_silent_while_the_clock_that_comes_with_the_records_stands_still():
    """A sink holds the reader's output up, but not its timers."""
    clock = StreamClock(OPENED, idle_ms=5_000)
    clock.observe("a", 500, OPENED)
    stands_at = OPENED + 200
    for second in range(1, 21):
        due_ms = OPENED + second * 1_000
        assert clock.read("a", 0, due_ms + 5, heard_ms=min(due_ms, stands_at)) == 500
    assert clock.read("a", 0, OPENED + 21_000, heard_ms=OPENED + 20_900) == 500
    assert clock.read("a", 0, OPENED + 25_006, heard_ms=OPENED + 25_000) == 25_506


def test_before_the_clock_has_come_for_the_first_time_no_shard_is_silent():
    clock = StreamClock(OPENED, idle_ms=5_000)
    assert clock.read("a", 700, OPENED + 9_000, heard_ms=-(2**63)) == 700
