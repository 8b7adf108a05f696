"""Where billing stands: what is sealed, which day is next, and what stands against closing it."""

from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from iceberg.billing.calendar import SETTLE, Window, next_day
from iceberg.billing.close import examine
from iceberg.billing.refusal import Refusal
from iceberg.billing.seal import Seal, read_seals
from iceberg.lake import Lake


class BillingStatus(Struct, frozen=True, kw_only=True):
    """The answer."""

    sealed_days: int
    last: Seal | None
    """The newest seal."""
    next_day: date | None
    """The day to close next; none where there is nothing yet."""
    closable_at: datetime | None
    """When that day is over and settled."""
    refusals: tuple[Refusal, ...]
    """What stands against closing it now."""


def billing_status(
    lake: Lake, *, now: datetime | None = None, start: date | None = None, settle: timedelta = SETTLE
) -> BillingStatus:
    """Where billing stands; changes nothing. Parameters as for :func:`iceberg.billing.close_day`.

    :raises CodewaveError: if a table has not been made yet.
    """
    seals = read_seals(lake)
    day = next_day(lake, seals, start)
    window = Window(day, settle) if day else None
    refusals = examine(lake, window, seals, now or datetime.now(UTC), start).refusals if window else ()
    return BillingStatus(
        sealed_days=len(seals),
        last=seals[-1] if seals else None,
        next_day=day,
        closable_at=window.settled_until if window else None,
        refusals=refusals,
    )
