"""The scaling suite: points with inputs of their own, which never leave two clusters on the same ports."""

from types import SimpleNamespace

import pytest

from bench.contender import SHORTEST_S, SHORTEST_TIMED_S, ContenderError
from bench.input import InputSpec
from bench.scaling import REFERENCE, Variant, comparisons, variants

DATA = SimpleNamespace(count=1)


class Engine:
    """Says when its processes begin and end."""

    def __init__(self, name: str, said: list[str], *, fails: bool = False) -> None:
        self.name = self.title = name
        self.slow = 1
        self._said = said
        self._fails = fails

    def run(self, data: object) -> str:  # noqa: ARG002 -- as a contender
        self._said.append(f"{self.name} runs")
        if self._fails:
            raise ContenderError("it broke")
        return f"{self.name} measured"

    def close(self) -> None:
        self._said.append(f"{self.name} ends")


def variant(inner: Engine, instead_of: Engine | None = None) -> Variant:
    return Variant(inner.name, inner.title, inner, InputSpec(events=1), instead_of=instead_of)  # type: ignore[arg-type]


def test_points_of_one_cluster_leave_it_running_for_the_next():
    said: list[str] = []
    single = Engine("single", said)
    for point in (variant(single), variant(single)):
        assert point.run(DATA) == "single measured"  # type: ignore[arg-type, comparison-overlap]
    assert said == ["single runs", "single runs"]


@pytest.mark.parametrize("fails", [False, True])
def test_another_cluster_begins_when_the_first_has_ended_and_ends_with_its_run(fails: bool):
    said: list[str] = []
    single, double = Engine("single", said), Engine("double", said, fails=fails)
    variant(single).run(DATA)  # type: ignore[arg-type]
    try:
        variant(double, instead_of=single).run(DATA)  # type: ignore[arg-type]
    except ContenderError:
        assert fails
    assert said == ["single runs", "single ends", "double runs", "double ends"]


def test_every_point_differs_from_the_reference_in_what_its_name_says_and_is_compared_with_it():
    points = {one.name: one.spec for one in variants()}
    assert points["ours-discard/records-50"] == points["functions/records-50"] == REFERENCE
    assert points["ours-discard/5000-rooms"].rooms == 5_000
    assert points["ours-discard/hot-room"].hot_share == 0.2
    assert points["ours-discard/2-processes"].partitions == 2
    compared = {one.contender for one in comparisons()}
    assert compared == {name for name in points if not name.endswith("/records-50")}


def test_a_point_may_be_measured_for_as_short_as_its_contender():
    points = {one.name: one.shortest_s for one in variants()}
    assert points["functions/records-200"] == SHORTEST_TIMED_S
    assert points["ours-discard/records-200"] == SHORTEST_S
