"""The runner: contenders in turns, and no figure of one that did not do the work."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.contender import ContenderError, Measurement
from bench.guard import slower
from bench.input import Input, InputSpec
from bench.progress import Progress
from bench.results import Origin, of_contender
from bench.runner import check, run_again, run_in_turns
from bench.side_by_side import SideBySide
from bench.suite import SHORT, Plan, chosen, measure
from codewave.errors import WrongUseError
from codewave.local.settings import load_settings

DATA = Input(InputSpec(events=100), Path(), [], [], distinct=98, duplicates=2, bytes=1, by_type={})
WHERE = Origin("a machine", "2026-01-01", "c0ffee")
SHORT_ONCE = msgspec.structs.replace(SHORT, rounds=1)


def good(**changes: float) -> Measurement:
    values = {"events": 75, "seconds": 2.0, "cpu_seconds": 1.0, "rss_bytes": 1, "startup_seconds": 1.0, "stored": 98}
    return Measurement(**(values | changes))


class Fake:
    """Answers what it was given, in turn, and notes that it ran."""

    title = "a fake"
    slow = 1

    def __init__(self, name: str, log: list[str], *answers: Measurement | Exception) -> None:
        self.name = name
        self._log = log
        self._answers: Iterator[Measurement | Exception] = iter(answers)

    def run(self, data: Input) -> Measurement:  # noqa: ARG002 -- a contender takes it
        self._log.append(self.name)
        answer = next(self._answers, good())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._log.append(f"{self.name} closed")


def run(contenders: list[Fake], rounds: int, seconds_left: float = 3_600):
    return run_in_turns(contenders, lambda _: DATA, rounds, time.monotonic() + seconds_left, Progress())


def test_contenders_take_turns_instead_of_one_running_to_its_end():
    log: list[str] = []
    runs = run([Fake("a", log), Fake("b", log)], rounds=3)
    assert log == ["a", "b"] * 3
    assert {name: len(measured) for name, measured in runs.measured.items()} == {"a": 3, "b": 3}


def test_one_that_fails_once_has_no_figures_and_does_not_run_again_while_the_others_go_on():
    log: list[str] = []
    runs = run([Fake("a", log, good(), ContenderError("a: broken")), Fake("b", log)], rounds=3)
    assert log == ["a", "b", "a", "b", "b"]
    assert runs.failed == {"a": "a: broken"}
    assert list(runs.measured) == ["b"]


def test_an_error_that_nobody_expects_ends_the_run():
    with pytest.raises(ZeroDivisionError):
        run([Fake("a", [], ZeroDivisionError())], rounds=1)


def test_without_time_for_another_run_each_contender_still_runs_once():
    log: list[str] = []
    run([Fake("a", log), Fake("b", log)], rounds=5, seconds_left=-1)
    assert log == ["a", "b"]


def test_one_that_needs_more_runs_has_them_though_the_time_is_up():
    log: list[str] = []
    needy = Fake("a", log)
    needy.least_runs = 2
    run([needy, Fake("b", log)], rounds=5, seconds_left=-1)
    assert log == ["a", "b", "a"]


def test_while_there_is_time_only_those_run_again_that_end_in_it(monkeypatch):
    log: list[str] = []
    clock = [0.0]
    slow, quick = Fake("slow", log), Fake("quick", log)
    monkeypatch.setattr("bench.runner.time.monotonic", lambda: clock[0])

    def takes(contender: Fake, seconds: float) -> None:
        inner = contender.run

        def run(data: Input) -> Measurement:
            clock[0] += seconds
            return inner(data)

        contender.run = run

    takes(slow, 50)
    takes(quick, 10)
    run_in_turns([slow, quick], lambda _: DATA, 3, 85, Progress())
    assert log == ["slow", "quick", "quick", "quick"]


def test_what_runs_again_adds_to_its_runs_if_it_ends_in_time():
    log: list[str] = []
    contenders = [Fake("a", log), Fake("b", log), Fake("broken", log, ContenderError("broken: no"))]
    runs = run(contenders, rounds=1)
    runs.lasted["b"] = 100
    log.clear()
    run_again(contenders, lambda _: DATA, runs, time.monotonic() + 50, Progress())
    assert log == ["a"]
    assert {name: len(measured) for name, measured in runs.measured.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(("seconds", "ran"), [(2.0, ["a"]), (4.0, ["a", "a"])], ids=["as quick", "slower"])
def test_what_seems_slower_than_before_runs_once_more(monkeypatch, seconds: float, ran: list[str]):
    monkeypatch.setattr("bench.suite.prepared", lambda *_: DATA)
    before = of_contender("a", [good()], WHERE)
    plan = Plan(load_settings(), SHORT_ONCE, Progress(), WHERE, time.monotonic() + 60, before)
    log: list[str] = []
    outcome = measure(plan, [Fake("a", log, good(seconds=seconds))], lambda _: DATA.spec, [])
    assert log == [*ran, "a closed"]
    assert slower(outcome.results, before) == [], "the second run was as quick as before"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (good(stored=97), "put out 97 events, not 98"),
        (good(stored=100), "put out 100 events, not 98"),
        (good(seconds=0.5), "measured for 0.50 s only"),
        (good(events=0), "measured 0 events"),
        (good(cpu_seconds=0.0), "no CPU time"),
    ],
    ids=["lost", "doubled", "short", "nothing", "free"],
)
def test_a_run_that_did_not_do_the_work_is_refused(measured: Measurement, said: str):
    with pytest.raises(ContenderError, match=said):
        check(Fake("a", []), measured, DATA)


def test_one_that_takes_its_times_itself_may_be_quicker():
    fake = Fake("decode", [])
    fake.shortest_s = 0.3
    check(fake, good(seconds=0.5), DATA)
    with pytest.raises(ContenderError, match=r"measured for 0\.20 s only"):
        check(fake, good(seconds=0.2), DATA)


def test_one_that_does_not_deduplicate_has_to_put_out_the_duplicates_too():
    fake = Fake("decode", [])
    fake.deduplicates = False
    check(fake, good(stored=100), DATA)
    with pytest.raises(ContenderError, match="not 100"):
        check(fake, good(stored=98), DATA)


def test_only_the_contenders_named_take_part_and_a_wrong_name_is_told_with_the_right_ones():
    known = [(SideBySide(), [Fake("a", []), Fake("b", [])]), (SideBySide(), [Fake("c", [])])]

    def names(*only: str) -> list[list[str]]:
        return [[one.name for one in part] for part in chosen(known, frozenset(only))]

    assert names("b") == [["b"], []]
    assert names("side_by_side") == [["a", "b"], ["c"]]
    assert names() == [["a", "b"], ["c"]]
    with pytest.raises(WrongUseError, match="no contender d; there are a, b, c"):
        chosen(known, frozenset({"d"}))
