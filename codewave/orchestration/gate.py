"""The quality gate over the intervals that a run changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iceberg.derive import Interval
    from iceberg.lake import Lake


def check_intervals(lake: "Lake", table: str, intervals: Sequence["Interval"]) -> None:
    """Look at each interval's rows; at all of them before the verdict, so that one run tells all that is wrong.

    :raises GateClosed: the first of those that an expectation with severity ``block`` failed for.
    """
    from iceberg.quality.errors import GateClosed
    from iceberg.quality.gate import run_gate

    closed = []
    for place, interval in enumerate(intervals, 1):
        try:
            run_gate(lake, table, interval, docs=place == len(intervals))
        except GateClosed as error:
            closed.append(error)
    if closed:
        raise closed[0]
