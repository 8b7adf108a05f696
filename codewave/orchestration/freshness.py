"""Alerts about tables that became stale or fresh again since the last look."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codewave.orchestration.alerts import table_freshness

if TYPE_CHECKING:
    from iceberg.lake import Lake


def tell_changes(lake: "Lake", before: Collection[str]) -> list[str]:
    """Alert about each table that is stale and was not, and each that was and is not any more.

    :param before: names of the tables that were stale at the last look.
    :returns: names of those that are now.
    """
    from iceberg.newest import stale_tables

    now = datetime.now(UTC)
    stale = {one.table: one for one in stale_tables(lake, now)}
    for name in sorted(stale.keys() - set(before)):
        table_freshness("not_fresh", name, stale[name].reason(now))
    for name in sorted(set(before) - stale.keys()):
        table_freshness("fresh_again", name, "it has new rows")
    return sorted(stale)
