"""What became of a record, counted by event type and hour, so that counts always close."""

from typing import Final

from msgspec import Struct

from udfs.rows import TypeCountRow
from udfs.rules import HOUR_MS

UNKNOWN_TYPE: Final = "unknown"
"""Type under which a refused event is counted whose own type cannot be read."""


class Tally(Struct):
    """Counts of one record; :attr:`by_type` is keyed by type and the start of the hour of ``received_at``."""

    by_type: dict[tuple[str, int], TypeCountRow] = {}
    late: int = 0

    def of(self, kind: str, received_at: int) -> TypeCountRow:
        """The counts of ``kind`` in the hour of ``received_at`` (ms since epoch)."""
        hour = received_at - received_at % HOUR_MS
        counts = self.by_type.get((kind, hour))
        if counts is None:
            counts = self.by_type[kind, hour] = TypeCountRow(kind, hour, 0, 0, 0, 0, 0, 0)
        return counts

    def total(self, field: str) -> int:
        """Sum of one count over all types and hours."""
        return sum(getattr(counts, field) for counts in self.by_type.values())
