"""The suite of state: how large it is for each room and ordering key, and for all (:mod:`bench.state_size`)."""

from collections.abc import Sequence
from typing import Final

from bench.contender import Contender
from bench.results import Origin, Result
from bench.state_size import Line, Scale, Traffic, measure, report
from bench.suite import Outcome, Plan
from codewave.local.settings import LocalSettings

_MEASURED_ROOMS: Final = 3
_SEED: Final = 1
_TRAFFIC: Final = Traffic(documents=5, users=5, seconds=600, lost=0.001, delayed=0.01)
_SCALE: Final = Scale(rooms=5_000, documents=5, users=5, sessions_a_user_a_day=4, executions_a_user_a_day=20, days=35)
"""As ``python bench/state_size.py`` has them by default."""


class State:
    """The suite."""

    name = "state"
    title = "State"
    share = 0.005
    apart = False

    def contenders(self, settings: LocalSettings) -> list[Contender]:  # noqa: ARG002 -- nobody contends
        """None: the functions alone are measured."""
        return []

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:  # noqa: ARG002
        """Run a few rooms, and reckon up."""
        plan.progress.begin("state: a few rooms")
        lines = report(measure(_MEASURED_ROOMS, _SEED, _TRAFFIC), _SCALE)
        return Outcome([_result(line, plan.where) for line in lines])


def _result(line: Line, where: Origin) -> Result:
    return Result(
        name=line.name,
        value=line.value,
        unit=line.unit,
        baseline=line.baseline,
        ratio=line.ratio,
        machine=where.machine,
        date=where.date,
        commit=where.commit,
    )
