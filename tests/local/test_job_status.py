"""What Flink's REST interface says of a job, put together: also while it has not collected metrics, or only some."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from codewave.local import job_status as module
from codewave.local.job_status import JobStatus, job_status
from codewave.local.jobs import JobInfo
from codewave.local.settings import LocalSettings

JOB, SOURCE, OPERATOR, SINK = "0db8ef84", "source", "operator", "sink"
OURS = "room-events.kinesisanalytics"
SHARD = "Source__records[1].KinesisConsumer.stream.codewave-rooms.shardId.shardId-00000000000{}.millisBehindLatest"
METRICS: dict[str, dict[str, Any]] = {
    SOURCE: {f"0.{SHARD.format(0)}": 0, f"1.{SHARD.format(1)}": 1500, "0.numRecordsIn": 9},
    OPERATOR: {
        f"0.{OURS}.processDelayLastMs": 20,
        f"1.{OURS}.processDelayLastMs": 212,
        f"0.{OURS}.processDelayMs_median": "NaN",
        f"1.{OURS}.processDelayMs_median": 180.4,
        f"1.{OURS}.processDelayMs_p99": 900,
        f"0.{OURS}.eventsPerSecond": 0.0,
        f"1.{OURS}.eventsPerSecond": 123.45,
        f"0.{OURS}.isolated": 1,
        f"1.{OURS}.isolated": 2,
        "0.checkpoint-flush.numRecordsInPerSecond": 1.5,
        "1.checkpoint-flush.numRecordsInPerSecond": 2,
        "0.Calc[29].numRecordsInPerSecond": 1_000,
        "0.numRecordsInPerSecond": 1_000,
        **{f"0.other-{number}.isolated": 1 for number in range(100)},
    },
    SINK: {f"0.{OURS}.isolated": 1_000},
}


class FakeFlink:
    """Answers as Flink's JobManager does, about one job."""

    def __init__(self) -> None:
        self.metrics = METRICS
        self.uptimes = ["60000"]
        """What the metric ``uptime`` says, one answer after the other; the last one stays."""
        self.longest_path = 0

    def answer(self, path: str, wanted: list[str]) -> Any:
        if path.endswith("/metrics"):
            return self._metrics(path, wanted)
        chain = "checkpoint-flush -> room-events -> (explode-x)"
        vertices = [(SOURCE, "Source: records[1] -> Calc"), (OPERATOR, chain), (SINK, "Writer")]
        tasks = {"RUNNING": 2, "FINISHED": 0}
        return {
            "/overview": {},
            "/jobs/overview": {"jobs": [{"jid": JOB}]},
            f"/jobs/{JOB}": {
                "jid": JOB,
                "state": "RUNNING",
                "now": 70_000,
                "timestamps": {"RUNNING": 10_000},
                "vertices": [{"id": id_, "name": name, "parallelism": 2, "tasks": tasks} for id_, name in vertices],
            },
            f"/jobs/{JOB}/exceptions": {"exceptionHistory": {"entries": []}},
            f"/jobs/{JOB}/checkpoints": {
                "latest": {
                    "completed": {
                        "id": 7,
                        "latest_ack_timestamp": 5,
                        "state_size": 900,
                        "checkpointed_size": 90,
                        "end_to_end_duration": 12,
                    }
                }
            },
        }[path]

    def _metrics(self, path: str, wanted: list[str]) -> list[dict[str, Any]]:
        if path == f"/jobs/{JOB}/metrics":
            if wanted != ["uptime"]:
                return []
            uptime = self.uptimes.pop(0) if len(self.uptimes) > 1 else self.uptimes[0]
            return [{"id": "uptime", "value": uptime}] if uptime else []
        known = self.metrics.get(path.split("/")[-2], {})
        if not wanted:
            return [{"id": name} for name in known]
        return [{"id": name, "value": str(known[name])} for name in wanted if name in known]


@pytest.fixture
def flink() -> Iterator[tuple[FakeFlink, int]]:
    fake = FakeFlink()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.longest_path = max(fake.longest_path, len(self.path))
            url = urlsplit(self.path)
            wanted = parse_qs(url.query).get("get", [""])[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(fake.answer(url.path, wanted.split(",") if wanted else [])).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake, server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def asked(flink: tuple[FakeFlink, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A call that asks the fake for the status."""
    monkeypatch.setattr(module, "_REFRESH_DEADLINE_S", 0.3)
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    settings = LocalSettings(flink_port=flink[1], kinesis_port=1, data_folder=str(tmp_path))
    info = JobInfo(
        name="room_events-rooms",
        id=JOB,
        namespace="rooms",
        sinks="raw,lake",
        parallelism=2,
        code="c",
        started_at=0,
        submit_seconds=1,
        run_seconds=1,
    )
    record = settings.data / "jobs" / info.name / "job.json"
    record.parent.mkdir(parents=True)
    record.write_bytes(msgspec.json.encode(info))
    return lambda: job_status(settings)[0]


def flow(status: JobStatus) -> tuple[Any, ...]:
    return (
        *(status.behind_ms, status.delay_ms, status.delay_median_ms, status.delay_p99_ms),
        *(status.records_per_second, status.events_per_second, status.isolated),
    )


def test_metrics_are_put_together_over_subtasks_and_shards(asked: Any):
    status = asked()
    assert flow(status) == (1_500, 212, 180, 900, 3.5, 123.5, 3)
    assert (status.state_bytes, status.last_checkpoint.written_bytes) == (900, 90)
    assert (status.tasks_running, status.tasks_total, status.uptime_seconds) == (6, 6, 60.0)


def test_metrics_that_are_not_there_yet_are_nothing(flink: tuple[FakeFlink, int], asked: Any):
    flink[0].metrics, flink[0].uptimes = {}, [""]
    status = asked()
    assert flow(status) == (None,) * 7
    assert (status.state, status.restarts) == ("RUNNING", 0)


def test_old_metrics_are_not_shown_until_flink_has_collected_new_ones(flink: tuple[FakeFlink, int], asked: Any):
    fake = flink[0]
    fake.uptimes = ["", "20000", "20000", "59000"]
    asked()
    assert fake.uptimes == ["59000"]


def test_the_metrics_of_many_shards_are_asked_for_in_parts(flink: tuple[FakeFlink, int], asked: Any):
    fake = flink[0]
    fake.metrics = METRICS | {SOURCE: {f"0.{SHARD.format(shard)}": shard for shard in range(200)}}
    assert asked().behind_ms == 199
    assert fake.longest_path < 4_096
