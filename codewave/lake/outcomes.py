"""Outcomes of executions against the events that decide them: every one there, once, and true."""

from typing import Any, Final

from msgspec import Struct, structs

_PROBLEMS: Final = {
    "doubled": "{count} rows of execution_outcomes repeat a revision, the first of execution {first}",
    "broken": "{count} executions have revisions that are not 1, 2, 3 …, the first is {first}",
    "without_outcome": "{count} executions finished and have no outcome that says so, the first is {first}",
    "differing": "{count} executions have a latest outcome other than their latest finished event's, the first is "
    "{first}",
}


class OutcomeCounts(Struct, frozen=True, kw_only=True):
    """What ``execution_outcomes`` holds, and what is wrong with it; counts of ``outcomes.sql``."""

    rows_held: int = 0
    executions: int = 0
    """Distinct ones."""
    lost: int = 0
    """Whose latest outcome no event decided: they fell silent."""
    doubled: int = 0
    """Rows beyond the first of an execution and revision."""
    broken: int = 0
    """Executions whose revisions are not contiguous from 1."""
    without_outcome: int = 0
    """Executions with an accepted finished event and no outcome decided by an event."""
    differing: int = 0
    """Executions whose latest outcome is not what their latest finished event says."""


def read_counts(row: dict[str, Any]) -> tuple[OutcomeCounts, dict[str, int]]:
    """The counts of a row of ``outcomes.sql``.

    :returns: the counts, and what does not close, each in words with by how many.
    """
    counts = OutcomeCounts(**{name: row[name] for name in OutcomeCounts.__struct_fields__})
    found = structs.asdict(counts)
    problems = {
        text.format(count=found[name], first=row[f"first_{name}"]): found[name]
        for name, text in _PROBLEMS.items()
        if found[name]
    }
    return counts, problems
