"""The Flink contenders on a small input: each stores every event exactly once, and none comes out of order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.contender import WARM_UP_SHARE
from bench.flink_contenders import FlinkContender, flink_contenders
from bench.input import Input, InputSpec, prepared

pytestmark = pytest.mark.system

SPEC = InputSpec(events=20_000)
WAYS = ("ours", "sql", "pyflink")
NAMES = [f"{way}-{sink}" for sink in ("discard", "iceberg") for way in WAYS]


@pytest.fixture(scope="module")
def contenders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FlinkContender]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEWAVE_DATA_FOLDER", str(tmp_path_factory.mktemp("bench")))
        every = {contender.name: contender for contender in flink_contenders()}
    yield every
    every[NAMES[0]].close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return prepared(SPEC, tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("name", NAMES)
def test_a_contender_stores_every_event_once(name: str, contenders: dict[str, FlinkContender], data: Input):
    # Our own job would declare gaps if the recorded stream were read out of order; that is refused as well. Each event
    # counts once: what tables hold, or what the sinks that keep nothing have taken.
    measured = contenders[name].run(data)
    assert measured.stored == data.distinct
    assert measured.events == data.count - int(data.count * WARM_UP_SHARE)
    assert measured.seconds > 0
    assert measured.cpu_seconds > 0
    assert measured.startup_seconds > 0


@pytest.mark.parametrize("name", ["ours-iceberg"])
def test_two_processes_share_the_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CODEWAVE_DATA_FOLDER", str(tmp_path / "bench"))
    contender = {contender.name: contender for contender in flink_contenders(task_managers=2)}[name]
    data = prepared(InputSpec(events=20_000, partitions=2), tmp_path / "inputs")
    try:
        assert contender.run(data).stored == data.distinct
    finally:
        contender.close()
