"""The reliability report: the hours of the last days, read from the lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from iceberg.derive.interval import interval_of
from iceberg.lake import Lake
from iceberg.reliability.budget import Hour, Reliability, reliability

DAYS: Final = 30
"""What the objective is promised over."""

_HOURS: Final = Path(__file__).parent / "sql" / "hours.sql"


def reliability_report(lake: Lake, days: int = DAYS, now: datetime | None = None) -> Reliability:
    """Availability over the last days, up to the end of this hour.

    :param days: at least 1.
    :param now: the wall's clock by default.
    :raises CodewaveError: if ``pipeline_reliability_hourly`` has not been made, or the engine fails.
    """
    until = interval_of("hour", now or datetime.now(UTC)).end
    since = until - timedelta(days=days)
    found = lake.engine.select(_HOURS.read_text(encoding="utf-8"), {"since": since, "until": until})
    return reliability([Hour(**row) for row in found.to_pylist()], since, until)
