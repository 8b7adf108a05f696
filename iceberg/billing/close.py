"""Closing a billing day: examined against all that it is made from, sealed, and fenced against what began before."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pyarrow as pa
from msgspec import Struct
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from codewave.errors import CodewaveError
from iceberg.billing.calendar import SETTLE, Window, calendar_refusals, next_day
from iceberg.billing.chain import rows_problems, seal_problems
from iceberg.billing.checks import check_refusals, pin
from iceberg.billing.fence import fence
from iceberg.billing.refusal import CloseRefusedError, Refusal, SealBrokenError
from iceberg.billing.seal import LEDGER, SEALS, Seal, append_seal, ledger_rows, make_seal, seals_of, snapshot_of
from iceberg.lake import Lake

ATTEMPTS: Final = 5
"""A close only starts over where another one has sealed a day meanwhile."""


class Examination(Struct, frozen=True):
    """A day as it would be sealed, and what stands against that."""

    refusals: tuple[Refusal, ...]
    rows: pa.Table | None = None
    """The day's ledger rows; none where it is not the day's turn."""
    snapshot_id: int | None = None
    """Of the ledger."""


def close_day(
    lake: Lake, day: date, *, now: datetime | None = None, start: date | None = None, settle: timedelta = SETTLE
) -> Seal:
    """Close a billing day. A day that is sealed is verified, and its seal returned.

    Of several that close a day at once, one seals it and the others return that seal. May die at any point and be
    called again.

    :param now: default the clock's.
    :param start: the first day to be billed, where nothing is sealed yet; default the first with an execution. What
        finished before it is never billed.
    :param settle: from the day's end until it may be closed, whole hours.
    :raises CloseRefusedError: if it may not be closed, with every reason; nothing is changed then.
    :raises SealBrokenError: if it is sealed and is not what was sealed.
    :raises CodewaveError: if a table has not been made yet, or others keep committing.
    """
    window = Window(day, settle)
    for _ in range(ATTEMPTS):
        table = lake.load(SEALS)
        seals = seals_of(table)
        if any(seal.day == day for seal in seals):
            return _sealed(lake, seals, day)
        found = examine(lake, window, seals, now or datetime.now(UTC), start)
        if found.refusals or found.rows is None:
            if snapshot_of(lake.load(SEALS)) != snapshot_of(table):
                continue  # What was compared may be from after another one's seal.
            raise CloseRefusedError(day, found.refusals)
        seal = make_seal(day, found.rows, found.snapshot_id, seals[-1] if seals else None, datetime.now(UTC))
        if _append(table, seal):
            fence(lake, seal)
            return seal
    raise CodewaveError(f"billing day {day}: others keep committing to {SEALS}; close it again")


def examine(lake: Lake, window: Window, seals: list[Seal], now: datetime, start: date | None = None) -> Examination:
    """Whether a day may be closed; changes nothing."""
    refusals = calendar_refusals(window, next_day(lake, seals, start), now)
    if refusals:
        return Examination(refusals)
    snapshots = pin(lake)
    snapshot_id = snapshots.ids.get(LEDGER)
    rows = ledger_rows(lake.load(LEDGER), window.day, snapshot_id)
    return Examination(check_refusals(snapshots, window, rows), rows, snapshot_id)


def _append(table: Table, seal: Seal) -> bool:
    """Whether the seal was written; not if anybody else has written one meanwhile."""
    try:
        append_seal(table, seal)
    except CommitFailedException:
        return False
    return True


def _sealed(lake: Lake, seals: list[Seal], day: date) -> Seal:
    before = [seal for seal in seals if seal.day < day]
    seal = next(one for one in seals if one.day == day)
    if seal == seals[-1]:
        fence(lake, seal)  # The close that sealed it may have died before its end.
    problems = seal_problems(seal, before[-1] if before else None) + rows_problems(lake.load(LEDGER), seal)
    if problems:
        raise SealBrokenError(
            f"billing day {day}: sealed at {seal.sealed_at:%Y-%m-%d %H:%M} UTC and changed since: "
            f"{'; '.join(problems)}; `codewave billing verify` checks every day, docs/operator/billing.md says how to "
            "go on"
        )
    return seal
