"""The suite that compares: every contender on the same input, records of 50 events in 200 rooms."""

from collections.abc import Iterable, Sequence
from typing import Final

from bench.contender import Contender
from bench.engineless import engineless_contenders
from bench.input import InputSpec
from bench.postgres import PostgresContender
from bench.program import ProgramContender
from bench.results import PER_CORE, Comparison
from bench.suite import Outcome, Plan, measure
from codewave.local.settings import LocalSettings

INPUT: Final = InputSpec(events=0)
"""200 rooms, in one file, as every engine has one subtask or one worker; the mode says how many events."""

_OFF_SCALE: Final = frozenset({"decode"})

COMPARISONS: Final = (
    Comparison("ours-discard", "sql-discard", 2.5),
    Comparison("ours-iceberg", "sql-iceberg", 2),
    Comparison("ours-discard", "pyflink-discard", 20),
    Comparison("ours-iceberg", "pyflink-iceberg", 10),
    Comparison("ours-discard", "bytewax", 1, PER_CORE),
    Comparison("ours-discard", "functions", 0.6, PER_CORE),
    Comparison("ours-iceberg", "postgres", 5),
    Comparison("functions", "decode", 0.4, PER_CORE),
)


def _flink() -> Iterable[Contender]:
    try:
        from bench.flink_contenders import flink_contenders
    except ModuleNotFoundError as error:
        if error.name != "bench.flink_contenders":
            raise
        return []
    return flink_contenders()


class SideBySide:
    """The suite."""

    name = "side_by_side"
    title = "Side by side"
    share = 0.41
    apart = False

    def contenders(self, settings: LocalSettings) -> list[Contender]:
        """Everything that is compared, in the order of the table."""
        return [
            *_flink(),
            ProgramContender("bytewax", "Bytewax with our functions, to discarding sink", "bench.bytewax_flow"),
            *engineless_contenders(),
            PostgresContender(settings),
        ]

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:
        """Run every contender in turns, and compare."""
        return measure(plan, taking_part, lambda _: INPUT, COMPARISONS, _OFF_SCALE)
