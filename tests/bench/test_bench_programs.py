"""Contenders that are programs of their own: what they measure, and what they say when they fail."""

from pathlib import Path

import pytest

from bench.contender import WARM_UP_SHARE, ContenderError
from bench.engineless import engineless_contenders
from bench.input import Input, InputSpec, prepared
from bench.program import ProgramContender
from bench.runner import check


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return prepared(InputSpec(events=4_000, rooms=10, partitions=2), tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize(
    ("contender", "passes"),
    [
        (engineless_contenders()[0], 1),
        (engineless_contenders()[1], 8),
        (ProgramContender("bytewax", "Bytewax", "bench.bytewax_flow"), 1),
    ],
    ids=["functions", "decode", "bytewax"],
)
def test_each_puts_out_every_event_and_measures_what_comes_after_the_warm_up(
    contender: ProgramContender, passes: int, data: Input, monkeypatch
):
    monkeypatch.setattr(contender, "shortest_s", 0.0)
    measured = contender.run(data)
    check(contender, measured, data)
    assert measured.events == pytest.approx((1 - WARM_UP_SHARE) * data.count * passes, rel=0.05)
    assert measured.rss_bytes > 10_000_000
    assert 0 < measured.startup_seconds < 30


def test_the_functions_need_no_events_one_a_line(tmp_path: Path):
    data = prepared(InputSpec(events=2_000, rooms=10, lines=False), tmp_path)
    assert engineless_contenders()[0].run(data).stored == data.distinct


def test_one_that_fails_is_told_with_what_it_said(data: Input, tmp_path: Path):
    missing = Input(data.spec, tmp_path, [tmp_path / "gone"], [tmp_path / "gone"], 1, 0, 1, {})
    with pytest.raises(ContenderError, match=r"(?s)functions: ended with 1.*FileNotFoundError"):
        engineless_contenders()[0].run(missing)
