"""Deriving many intervals: as tasks hand them on, how many one task takes, and which of them are left as they are."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from iceberg.derive import Interval
    from iceberg.lake import Lake

TASKS_A_RUN: Final = 32
"""Most tasks that the intervals of a run are spread over: a task costs seconds before it begins to work."""

log = logging.getLogger(__name__)


class Outcome(Struct, frozen=True):
    """What became of some intervals."""

    changed: list["Interval"]
    """They have other rows now."""
    same: int
    """Had these rows already."""
    kept: int
    """Sealed meanwhile, or retention has taken their sources: left as they are."""


def batches(intervals: Sequence["Interval"], at_most: int = TASKS_A_RUN) -> list[list["Interval"]]:
    """The intervals in their order, one each or, where there are many, evenly in ``at_most`` lists."""
    count = min(len(intervals), at_most)
    bounds = [index * len(intervals) // count for index in range(count + 1)] if count else []
    return [list(intervals[start:end]) for start, end in pairwise(bounds)]


def as_intervals(values: Iterable[Any]) -> list["Interval"]:
    """Intervals from what a task returned: plain values, times as text."""
    from iceberg.derive import Interval

    return msgspec.convert(list(values), list[Interval])


def derive_each(lake: "Lake", table: str, intervals: Iterable["Interval"]) -> Outcome:
    """Derive intervals one by one.

    A day that was sealed after somebody found it touched is left alone, and nothing is lost: the seal itself touches
    the first open day, whose rows are computed from all that is known.

    :raises CodewaveError: as :func:`iceberg.derive.derive`, for anything else.
    """
    from iceberg.derive import derive
    from iceberg.derive.reach import OutOfReachError
    from iceberg.derive.seals import SealedError

    changed, same, kept = [], 0, 0
    for interval in intervals:
        try:
            done = derive(lake, table, interval)
        except (SealedError, OutOfReachError) as error:
            log.info("left as it is: %s", error)
            kept += 1
        else:
            log.info("%s %s: %s rows, snapshot %s", table, interval, done.rows, done.snapshot_id)
            same += done.snapshot_id is None
            changed += [interval] if done.snapshot_id is not None else []
    return Outcome(changed, same, kept)


def derive_day(lake: "Lake", table: str, day: date) -> Outcome:
    """Derive every interval of a day; as :func:`derive_each`."""
    from iceberg.derive import intervals_between
    from iceberg.derive.interval import interval_of

    whole = interval_of("day", day)
    unit = lake.definition(table).interval or "day"
    return derive_each(lake, table, intervals_between(unit, whole.start, whole.end))
