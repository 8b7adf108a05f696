"""How far back intervals can be derived: retention removes rows of a source long before those made from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pyiceberg.table import Table

from codewave.errors import CodewaveError
from iceberg.definition import TableDefinition
from iceberg.derive.conflicts import start_over
from iceberg.derive.interval import Interval
from iceberg.lake import Lake

RETAINED_FROM: Final = "codewave.retained-from"
"""Property of a table whose older rows were removed by retention: the time (ISO 8601) from which it is whole."""


class OutOfReachError(CodewaveError):
    """Rows that the interval was made of are gone; the rows that are there stay."""


def note_retained_from(lake: Lake, table: str, when: datetime) -> None:
    """Remember, before they are removed, that a table has no rows from before ``when`` any more.

    :raises CodewaveError: if others keep committing to the table.
    """
    start_over(table, _note, lake, table, when)


def _note(lake: Lake, table: str, when: datetime) -> None:
    handle = lake.load(table)
    known = _retained_from(handle)
    if known is None or known < when:
        with handle.transaction() as transaction:
            transaction.set_properties({RETAINED_FROM: when.isoformat()})


def out_of_reach(interval: Interval, sources: Iterable[Table]) -> str | None:
    """Name of a source that has not all the rows any more that an interval is made of, and from when on it has."""
    for handle in sources:
        retained = _retained_from(handle)
        if retained is not None and interval.start < retained:
            return f"{handle.name()[-1]} has no rows from before {retained:%Y-%m-%d %H:%M} UTC any more"
    return None


def refuse_out_of_reach(definition: TableDefinition, interval: Interval, sources: Iterable[Table]) -> None:
    """Stop a run that would replace rows by less than they were made of.

    :raises OutOfReachError: naming the source.
    """
    if reason := out_of_reach(interval, sources):
        raise OutOfReachError(f"{definition.name} {interval}: {reason}; the rows that are there stay")


def _retained_from(handle: Table) -> datetime | None:
    text = handle.properties.get(RETAINED_FROM)
    return datetime.fromisoformat(text) if text else None
