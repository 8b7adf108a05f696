"""Results: named figures with their spread, of which machine and commit they are, and the files that keep them."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.contender import Measurement
from codewave.contract.limits import MIB
from codewave.local.settings import PROJECT_ROOT

RESULTS_FOLDER: Final = PROJECT_ROOT / "bench" / "results"
"""Of whole runs; committed."""
THROUGHPUT: Final = "throughput"
PER_CORE: Final = "throughput of a core"
CPU: Final = "CPU time"
MEMORY: Final = "memory"
START_UP: Final = "start-up"
COMPILING: Final = "compiling"
EVENTS_PER_S: Final = "events/s"
EVENTS_PER_CPU_S: Final = "events/CPU s"
US_PER_EVENT: Final = "µs/event"
COMPILED: Final = "% of CPU time"
_CPU_INFO: Final = Path("/proc/cpuinfo")


class Origin(Struct, frozen=True):
    """Where and when results were measured, and of what code."""

    machine: str
    """Its kind: results of two machines of one kind can be compared."""
    date: str
    commit: str
    """With a ``+`` where the files differed from it."""


class Result(Struct, kw_only=True):
    """One figure."""

    name: str
    """The contender, a colon, and what was measured of it."""
    value: float
    """The median, where there are several runs."""
    unit: str
    baseline: str | None = None
    """The name of the result that this one is compared with."""
    ratio: float | None = None
    """How many times the baseline's value it is."""
    machine: str
    date: str
    commit: str
    low: float | None = None
    """The lowest of the runs."""
    high: float | None = None
    runs: int = 1
    goal: float | None = None
    """What the ratio should be at least."""


class Comparison(Struct, frozen=True):
    """Two contenders, by the same measure, and the ratio that is wanted."""

    contender: str
    against: str
    goal: float | None
    """The least ratio that is wanted."""
    measure: str = THROUGHPUT


def origin() -> Origin:
    """Where and when we are, and the commit that is checked out."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = "+" if commit and _git("status", "--porcelain") else ""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Origin(machine_kind(), date, f"{commit}{changed}" if commit else "unknown")


def machine_kind() -> str:
    """Architecture, cores and processor, such as ``x86_64, 2 cores, Intel(R) Xeon(R) Processor``."""
    text = _CPU_INFO.read_text(encoding="utf-8") if _CPU_INFO.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    parts = [platform.machine(), f"{os.cpu_count()} cores", model[1].strip() if model else ""]
    return ", ".join(part for part in parts if part)


def of_contender(name: str, runs: list[Measurement], where: Origin) -> list[Result]:
    """What the runs of one contender come to; there is at least one."""
    figures = [
        (THROUGHPUT, EVENTS_PER_S, [run.events / run.seconds for run in runs]),
        (PER_CORE, EVENTS_PER_CPU_S, [run.events / run.cpu_seconds for run in runs]),
        (CPU, US_PER_EVENT, [run.cpu_seconds / run.events * 1e6 for run in runs]),
        (MEMORY, "MiB", [run.rss_bytes / MIB for run in runs]),
        (START_UP, "s", [run.startup_seconds for run in runs]),
    ]
    if any(run.compiling_seconds for run in runs):
        figures.append((COMPILING, COMPILED, [100 * run.compiling_seconds / run.cpu_seconds for run in runs]))
    return [figure(result_name(name, measure), values, unit, where) for measure, unit, values in figures]


def result_name(contender: str, measure: str) -> str:
    """The name of a result."""
    return f"{contender}: {measure}"


def figure(name: str, values: list[float], unit: str, where: Origin) -> Result:
    """The median of ``values`` with their spread."""
    return Result(
        name=name,
        value=statistics.median(values),
        unit=unit,
        low=min(values),
        high=max(values),
        runs=len(values),
        machine=where.machine,
        date=where.date,
        commit=where.commit,
    )


def compared(results: Iterable[Result], comparisons: Iterable[Comparison]) -> list[Result]:
    """Each comparison whose two results are there: the contender's result again, with baseline, ratio and goal."""
    known = {result.name: result for result in results}
    found = []
    for comparison in comparisons:
        mine = known.get(result_name(comparison.contender, comparison.measure))
        other = known.get(result_name(comparison.against, comparison.measure))
        if mine and other:
            ratio = mine.value / other.value
            found.append(msgspec.structs.replace(mine, baseline=other.name, ratio=ratio, goal=comparison.goal))
    return found


def file_name(suite: str, mode: str, machine: str) -> str:
    """The file that keeps the results of a suite, one for each kind of machine."""
    kind = re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")
    return f"{suite}.{mode}.{kind}.json"


def write(path: Path, results: list[Result]) -> None:
    """Keep results, figures rounded to six digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(to_json(results), indent=2)
    path.write_bytes(data + b"\n")


def to_json(results: list[Result]) -> bytes:
    """A JSON list of objects, figures rounded to six digits."""
    return msgspec.json.encode([msgspec.structs.replace(result, **_rounded(result)) for result in results])


def _rounded(result: Result) -> dict[str, float | None]:
    fields = ("value", "low", "high", "ratio")
    values = {name: getattr(result, name) for name in fields}
    return {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}


def read(data: bytes) -> list[Result]:
    """The results of a file's content."""
    return msgspec.json.decode(data, type=list[Result])


def committed(path: Path) -> list[Result] | None:
    """The results of a file as they were committed last; ``None`` where none were, or there is no git."""
    text = _git("show", f"HEAD:{path.relative_to(PROJECT_ROOT)}")
    return read(text.encode()) if text else None


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(PROJECT_ROOT), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
