"""The load of the latency suite: a process of its own that sends until it is told to stop."""

import msgspec
import pytest

from bench.contender import ContenderError
from bench.latency_load import LoadProcess, Part, Task, room_ids, workload
from codewave.local.settings import load_settings

PART = Part(rooms=3, rate=300, seed=5)


def test_a_part_has_more_events_than_it_will_send_at_its_rate():
    options = workload(PART, 20)
    assert (options.rate, options.rooms) == (300, 3)
    assert options.rooms * options.seconds * 10 >= 2 * 300 * 20


def test_the_rooms_of_a_part_are_known_before_it_is_played_and_differ_from_those_of_another():
    assert len(room_ids(PART)) == 3
    assert room_ids(PART) == room_ids(Part(rooms=3, rate=10, seed=5))
    assert not set(room_ids(PART)) & set(room_ids(Part(rooms=3, rate=300, seed=6)))


def test_a_load_that_nobody_takes_ends_with_an_error(tmp_path, capfd):
    settings = msgspec.structs.replace(load_settings(environment={}), data_folder=str(tmp_path), kinesis_port=9)
    load = LoadProcess(Task(settings, "rooms", [PART], 5))
    with pytest.raises(ContenderError, match="the load ended with 1"):
        load.stop()
    assert "no stream answers at http://127.0.0.1:9" in capfd.readouterr().err
    with pytest.raises(ContenderError, match="has ended early"):
        load.check()
