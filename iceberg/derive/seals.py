"""Sealed days: what is closed for good, and where later truths go instead."""

from datetime import UTC, date, datetime, timedelta

import pyarrow.compute as pc

from codewave.errors import CodewaveError
from iceberg.definition import TableDefinition
from iceberg.derive.interval import Interval, interval_of
from iceberg.lake import Lake


class SealedError(CodewaveError):
    """The interval is closed for good; derive the first open day instead."""


def last_sealed(lake: Lake, definition: TableDefinition) -> date | None:
    """The newest sealed day of a table; None where nothing is sealed, or never will be."""
    if not definition.sealed_by:
        return None
    days = lake.load(definition.sealed_by).scan(selected_fields=("day",)).to_arrow()["day"]
    newest = pc.max(days).as_py()
    return newest if newest is None else date(newest.year, newest.month, newest.day)


def first_open(sealed: date) -> Interval:
    """The day after a sealed one."""
    return interval_of("day", sealed + timedelta(days=1))


def is_sealed(interval: Interval, sealed: date | None) -> bool:
    """Whether an interval is a sealed day; days are sealed in order, so every earlier day is, too."""
    return sealed is not None and interval.start <= datetime(sealed.year, sealed.month, sealed.day, tzinfo=UTC)


def refuse_sealed(definition: TableDefinition, interval: Interval, sealed: date | None) -> None:
    """Stop a run of a sealed day.

    :raises SealedError: naming the day, and where what is late goes.
    """
    if sealed is not None and is_sealed(interval, sealed):
        raise SealedError(
            f"{definition.name}: {interval} is sealed (through {sealed}) and is never derived again; "
            f"what came late is booked on {first_open(sealed)}: derive that"
        )
