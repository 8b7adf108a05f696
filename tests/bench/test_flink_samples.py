"""The measured part of a Flink job: from the end of the warm-up to the job's end."""

import pytest

from bench.contender import ContenderError
from bench.flink_samples import Sample, Watched
from bench.flink_watch import events_read


def sample(at: float, events: int, cpu: float, rss: int = 100) -> Sample:
    return Sample(at=at, events=events, cpu_seconds=cpu, rss_bytes=rss, compiling_seconds=cpu / 4)


def watched(*samples: Sample, ended_at: float = 14.5) -> Watched:
    return Watched(submitted_at=2.0, running_at=9.0, ended_at=ended_at, samples=samples, sinks={})


STEADY = (sample(10, 0, 3), sample(11, 320, 4, 300), sample(13, 600, 8), sample(14, 800, 10), sample(15, 800, 10.5))


def test_the_measured_part_begins_when_so_many_events_were_read_and_ends_with_the_last_row():
    measured = watched(*STEADY).measured(800, stored=790)
    assert (measured.events, measured.stored) == (800 - 320, 790)
    assert measured.seconds == pytest.approx(14.5 - 11)
    assert measured.cpu_seconds == pytest.approx(10.25 - 4)
    assert measured.compiling_seconds == pytest.approx((10.25 - 4) / 4)


def test_between_two_looks_time_and_cpu_are_taken_in_proportion():
    measured = watched(sample(10, 0, 3), sample(14, 800, 11), sample(15, 800, 12)).measured(800, stored=0)
    assert measured.seconds == pytest.approx(14.5 - 11.6)
    assert measured.cpu_seconds == pytest.approx(11.5 - 6.2)


def test_memory_is_the_highest_seen():
    assert watched(*STEADY).measured(800, stored=0).rss_bytes == 300


def test_start_up_lasts_from_the_submission_to_the_first_event():
    assert watched(*STEADY).measured(800, stored=0).startup_seconds == pytest.approx(8 + 1 / 320)


def test_a_job_that_read_too_little_has_no_measured_part():
    with pytest.raises(ContenderError, match="800 of 900"):
        watched(*STEADY).measured(900, stored=0)


def test_only_what_sources_hand_on_is_read():
    vertices = [
        {"name": "Source: records[1] -> Calc[2]", "metrics": {"write-records": 40}},
        {"name": "room-events", "metrics": {"write-records": 5}},
    ]
    assert events_read({"vertices": vertices}) == 40
