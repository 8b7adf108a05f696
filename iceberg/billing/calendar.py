"""Which day may be closed: days are closed in order, without holes, and only when their late data has had its time."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from iceberg.billing.refusal import Refusal
from iceberg.billing.seal import Seal
from iceberg.lake import Lake

SQL_FOLDER: Final = Path(__file__).resolve().parent / "sql"

SETTLE: Final = timedelta(hours=2)
"""From a day's end until it may be closed. An execution that fell silent before midnight is taken for lost after 15
minutes and up to two sixteenths of that (docs/executions.md); the rest is for clients that were offline. What comes
later still is not lost: it becomes an adjustment of the next day. Whole hours, since counts close by the hour."""

_DAY: Final = timedelta(days=1)


class Window(Struct, frozen=True):
    """The times that belong to a billing day."""

    day: date
    settle: timedelta = SETTLE

    @property
    def start(self) -> datetime:
        """Midnight UTC."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The next midnight UTC."""
        return self.start + _DAY

    @property
    def settled_until(self) -> datetime:
        """From here on it may be closed."""
        return self.end + self.settle


def next_day(lake: Lake, seals: list[Seal], start: date | None) -> date | None:
    """The day to close next: the one after the last seal, else ``start``, else the first day with an execution.

    :returns: nothing where there is nothing yet.
    """
    if seals:
        return seals[-1].day + _DAY
    return start or first_day(lake)


def first_day(lake: Lake) -> date | None:
    """The first day on which an execution finished."""
    found = lake.engine.select((SQL_FOLDER / "first_day.sql").read_text(encoding="utf-8"))["first_day"][0].as_py()
    return date.fromisoformat(str(found)[:10]) if found else None


def calendar_refusals(window: Window, wanted: date | None, now: datetime) -> tuple[Refusal, ...]:
    """Whether it is this day's turn, and its time."""
    if wanted is None:
        what = "the lake has no finished execution yet"
        return (Refusal(reason="nothing_to_close", what=what, to_do="close a day once there is one"),)
    if window.day > wanted:
        what = f"the next day to close is {wanted}; days are closed in order, without holes"
        to_do = f"close {wanted} first: `codewave billing close {wanted}`"
        return (Refusal(reason="not_the_next_day", what=what, to_do=to_do),)
    if window.day < wanted:
        what = f"billing starts later: the next day to close is {wanted}"
        return (Refusal(reason="not_the_next_day", what=what, to_do="it cannot be closed any more"),)
    if now < window.settled_until:
        what = f"the day is over and settled at {window.settled_until:%Y-%m-%d %H:%M} UTC"
        return (Refusal(reason="day_not_over", what=what, to_do="close it then"),)
    return ()
