"""Why a day may not be closed: each reason with what is wrong, where, and what to do."""

from datetime import date
from typing import Final, Literal

from msgspec import Struct

from codewave.errors import CodewaveError

IDS_SHOWN: Final = 10
"""Ids told of each reason; the count says how many there are."""

Reason = Literal[
    "day_not_over",
    "not_the_next_day",
    "nothing_to_close",
    "counts_do_not_close",
    "events_pending",
    "duplicate_events",
    "outcome_missing",
    "outcome_without_event",
    "outcome_differs",
    "revisions_broken",
    "output_differs",
    "ledger_duplicate",
    "ledger_outdated",
    "usage_differs",
]


class Refusal(Struct, frozen=True, kw_only=True):
    """One reason."""

    reason: Reason
    what: str
    """What is wrong and where, in words."""
    to_do: str
    count: int = 0
    """How many of ``ids`` there are in all; rows, executions or events, as ``what`` says."""
    ids: tuple[str, ...] = ()
    """The first of them."""

    def in_words(self) -> str:
        """For a person, in one line."""
        more = f", and {self.count - len(self.ids):,} more" if self.count > len(self.ids) else ""
        ids = f" ({', '.join(self.ids)}{more})" if self.ids else ""
        return f"{self.what}{ids}; {self.to_do}"


class CloseRefusedError(CodewaveError):
    """A billing day may not be closed."""

    def __init__(self, day: date, refusals: tuple[Refusal, ...]) -> None:
        self.day = day
        self.refusals = refusals
        super().__init__(f"billing day {day}: not closed: {' · '.join(one.in_words() for one in refusals)}")


class SealBrokenError(CodewaveError):
    """A sealed day is not what was sealed."""
