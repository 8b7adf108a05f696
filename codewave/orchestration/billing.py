"""The billing close over every day that is open."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from iceberg.lake import Lake


class Closed(Struct, frozen=True):
    """A day that was sealed."""

    day: str
    rows: int
    hash: str
    """Of its seal: whoever keeps it can tell later that nothing was changed."""


def open_days(lake: "Lake", through: date) -> list[date]:
    """Days that are to be closed, in order: from the one after the last seal."""
    from iceberg.billing import billing_status

    first = billing_status(lake).next_day
    return [first + timedelta(days=after) for after in range((through - first).days + 1)] if first else []


def reconcile(lake: "Lake", day: date) -> None:
    """Look for what stands against closing the next day.

    Nothing is derived again before: what somebody removed or changed by hand is found, not made good in silence.

    :raises CloseRefusedError: with every reason.
    """
    from iceberg.billing import CloseRefusedError, billing_status

    status = billing_status(lake)
    if status.next_day == day and status.refusals:
        raise CloseRefusedError(day, status.refusals)


def close_days(lake: "Lake", days: list[date]) -> list[Closed]:
    """Seal days in order.

    :raises CloseRefusedError: for the first that may not be closed; those before it stay closed.
    """
    from iceberg.billing import close_day

    closed = []
    for day in days:
        seal = close_day(lake, day)
        closed.append(Closed(day.isoformat(), seal.rows, seal.hash))
    return closed
