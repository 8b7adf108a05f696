"""A trial makes its faults in turn, brings a job back that is gone, and notes when everything works again."""

import time
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest

from codewave.errors import CodewaveError
from codewave.faults import trial as module
from codewave.faults.fault import Fault, Proxies, Scene
from codewave.faults.load import Load
from codewave.faults.schedule import Planned
from codewave.faults.trial import Told, Trial
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings


class Cluster:
    """Stands in for the cluster: whether the job is gone, and when its last checkpoint began."""

    def __init__(self) -> None:
        self.gone = False
        self.checkpoint_ms = 0
        self.brought_back = 0
        self.repaired = 0

    def bring_back(self, _scene: Scene) -> str:
        self.gone = False
        self.brought_back += 1
        return "resumed"

    def jobs(self) -> list[dict[str, Any]]:
        return [{"jid": "1", "name": "room_events-faults", "state": "RUNNING"}]

    def checkpoints(self, _job_id: str) -> dict[str, Any]:
        return {"latest": {"completed": {"trigger_timestamp": self.checkpoint_ms}}}


class RunningLoad:
    sent = 7
    running = True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()

    def repair(*_: object) -> None:
        made.repaired += 1

    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    monkeypatch.setattr(module, "is_gone", lambda _scene: made.gone)
    monkeypatch.setattr(module, "job_state", lambda _scene: "GONE" if made.gone else "RUNNING")
    monkeypatch.setattr(module, "bring_back", made.bring_back)
    monkeypatch.setattr(module, "committed_events", lambda *_: 5)
    monkeypatch.setattr(module, "FlinkRest", lambda _url: made)
    monkeypatch.setattr(module.stack, "up", repair)
    return made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def trial(cluster: Cluster, said: list[str]) -> Trial:  # noqa: ARG001 - set up before it
    settings = LocalSettings()
    proxies = cast("Proxies", None)
    scene = Scene(settings=settings, namespace=Namespace("faults"), proxies=proxies, random=Random(1))

    def say(_told: Told, text: str) -> None:
        said.append(text)

    return Trial(scene, cast("Load", RunningLoad()), lambda _told: None, say)


def run(trial: Trial, strike: Callable[[Scene, float], str], *, turns: int = 1, seconds: float = 0.3) -> None:
    planned = [Planned(0.0, "some", 1.0)] * turns
    trial.run(planned, {"some": Fault(name="some", summary="", strike=strike)}, seconds, lambda: False)


def test_a_fault_gets_its_scene_and_length_and_says_what_it_did(trial: Trial, said: list[str]):
    run(trial, lambda scene, seconds: f"{scene.namespace.name} for {seconds:g}", turns=2, seconds=0)
    assert [struck.did for struck in trial.struck] == ["faults for 1"] * 2
    assert said == ["some for 1 s", "faults for 1"] * 2


def test_it_has_recovered_once_a_checkpoint_that_began_after_it_is_complete(trial: Trial, cluster: Cluster):
    def strike(_scene: Scene, _seconds: float) -> str:
        cluster.checkpoint_ms = time.time_ns() // 1_000_000 - 1
        time.sleep(0.05)
        return "healed"

    run(trial, strike)
    assert trial.struck[0].recovered_after_s is None
    cluster.checkpoint_ms = time.time_ns() // 1_000_000
    trial.run([], {}, 0.5, lambda: False)
    assert trial.struck[0].recovered_after_s is not None
    assert trial.struck[0].recovered_after_s >= 0.2


@pytest.mark.parametrize("error", [CodewaveError("search: is away"), RuntimeError("odd")])
def test_a_fault_that_fails_is_told_and_the_stack_repaired_and_the_next_one_strikes(
    trial: Trial, cluster: Cluster, error: Exception
):
    def strike(_scene: Scene, _seconds: float) -> str:
        raise error

    run(trial, strike, turns=2, seconds=0)
    assert [(struck.failed, str(error) in struck.did) for struck in trial.struck] == [(True, True)] * 2
    assert cluster.repaired == 2


def test_a_job_that_is_gone_is_brought_back_and_one_that_is_out_of_sight_for_a_moment_is_not(
    trial: Trial, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    looks = iter([True, False] * 3 + [True] * 5 + [False] * 10_000)
    monkeypatch.setattr(module, "is_gone", lambda _scene: next(looks))
    trial.run([], {}, 0.5, lambda: False)
    assert (cluster.brought_back, trial.revived) == (1, 1)


def test_no_fault_begins_once_it_is_stopped(trial: Trial):
    stopped: list[bool] = []

    def strike(_scene: Scene, _seconds: float) -> str:
        stopped.append(True)
        return "done"

    planned = [Planned(0.0, "some", 1.0)] * 3
    fault = Fault(name="some", summary="", strike=strike)
    trial.run(planned, {"some": fault}, 60, lambda: bool(stopped))
    assert len(trial.struck) == 1


def test_an_interrupt_lets_the_fault_heal_first(trial: Trial, monkeypatch: pytest.MonkeyPatch):
    healed: list[bool] = []

    def strike(_scene: Scene, _seconds: float) -> str:
        time.sleep(0.2)
        healed.append(True)
        return "done"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "_tell", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trial.run(
            [Planned(0.0, "some", 1.0)], {"some": Fault(name="some", summary="", strike=strike)}, 1, lambda: False
        )
    assert healed == [True]
