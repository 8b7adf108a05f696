"""The suite of derived tables: time and memory of each over a day of a million executions and as many edits.

Every table is derived in a process of its own (:mod:`bench.derived_day_steps`), in the order in which they read each
other, and its query alone right before that on the same files: the ratio is what reading by snapshot, checking,
sorting and committing cost. In the end the day is closed.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.contender import Contender
from bench.derived_day_input import ROWS, DaySpec, prepared_day
from bench.derived_day_steps import TABLES, Step, begin_round, run_step
from bench.results import CPU, MEMORY, Origin, Result, figure, result_name
from bench.suite import Outcome, Plan
from codewave.contract.limits import MIB
from codewave.errors import CodewaveError
from codewave.local.settings import LocalSettings
from iceberg.billing.seal import LEDGER

ROUNDS: Final = 2
"""At most: what differs from one to the next is small beside a minute of each."""
CLOSE: Final = "billing_seals"
DERIVE: Final = "derive"
QUERY: Final = "query alone"

Rounds = dict[str, list[Step]]
"""What was measured → the steps of all rounds."""


class DerivedDay:
    """The suite."""

    name = "derived_day"
    title = "Derived tables of a day"
    share = 0.1
    apart = True

    def contenders(self, settings: LocalSettings) -> list[Contender]:  # noqa: ARG002 -- nobody contends
        """None: each table is compared with its own query."""
        return []

    def run(self, plan: Plan, taking_part: Sequence[Contender]) -> Outcome:  # noqa: ARG002
        """Derive all tables and close the day, and again where there is time for it."""
        folder = plan.settings.data / "bench" / self.name
        rows = min(plan.mode.events, ROWS)
        found: Rounds = {}
        try:
            plan.progress.begin(f"derived day: {rows:,} executions are made")
            day = prepared_day(DaySpec(rows=rows), folder)
            for number in range(1, min(ROUNDS, plan.mode.rounds) + 1):
                began = time.monotonic()
                for name, step in _round(plan, day, folder / "round", f"derived day, round {number}"):
                    found.setdefault(name, []).append(step)
                if 2 * time.monotonic() - began > plan.deadline:
                    break
        except CodewaveError as error:
            plan.progress.say(str(error), style="red")
            return Outcome(results_of(found, plan.where), [str(error)])
        return Outcome(results_of(found, plan.where))


def _round(plan: Plan, day: Path, work: Path, told: str) -> Iterator[tuple[str, Step]]:
    """Every step once; the next one finds what the last one committed."""
    steps = [step for table in TABLES for step in ((_query_of(table), "query", table), (table, "derive", table))]
    try:
        begin_round(day, work)
        for name, step, table in [*steps, (CLOSE, "close", LEDGER)]:
            plan.progress.begin(f"{told}: {name}")
            measured = run_step(step, work, table)
            plan.progress.say(f"{told}, {name}: {measured.seconds:.1f} s, {measured.rss_bytes / MIB:,.0f} MiB")
            yield name, measured
    finally:
        shutil.rmtree(work, ignore_errors=True)


def results_of(found: Mapping[str, list[Step]], where: Origin) -> list[Result]:
    """Medians of all rounds; a table's time is compared with its query's alone."""
    results = []
    for name, steps in found.items():
        if name.endswith(QUERY):
            continue
        query = found.get(_query_of(name))
        alone = _costs(name, query, where, QUERY, f"{QUERY}, ") if query else []
        figures = _costs(name, steps, where, DERIVE if query else "close") + _rows(name, steps, where)
        if alone:
            ratio = figures[0].value / alone[0].value
            figures[0] = msgspec.structs.replace(figures[0], baseline=alone[0].name, ratio=ratio)
            figures += _only_of_derived(name, steps, where)
        results += alone + figures
    return results


def _query_of(table: str) -> str:
    return result_name(table, QUERY)


def _costs(name: str, steps: list[Step], where: Origin, seconds: str, prefix: str = "") -> list[Result]:
    return [
        figure(result_name(name, seconds), [step.seconds for step in steps], "s", where),
        figure(result_name(name, prefix + CPU), [step.cpu_seconds for step in steps], "CPU s", where),
        figure(result_name(name, prefix + MEMORY), [step.rss_bytes / MIB for step in steps], "MiB", where),
    ]


def _rows(name: str, steps: list[Step], where: Origin) -> list[Result]:
    return [
        figure(result_name(name, "speed"), [step.rows_in / step.seconds for step in steps], "rows/s", where),
        figure(result_name(name, "rows in"), [float(step.rows_in) for step in steps], "rows", where),
        figure(result_name(name, "rows out"), [float(step.rows_out) for step in steps], "rows", where),
    ]


def _only_of_derived(name: str, steps: list[Step], where: Origin) -> list[Result]:
    return [
        figure(result_name(name, "find intervals"), [step.finding_seconds for step in steps], "s", where),
        figure(result_name(name, "derive again"), [step.again_seconds for step in steps], "s", where),
        figure(result_name(name, "intervals"), [float(step.intervals) for step in steps], "intervals", where),
    ]
