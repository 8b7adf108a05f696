"""Days as runs of daily DAGs work on them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any


def run_day(params: dict[str, Any], dag_run: Any) -> date:
    """The day a run works on, UTC: the one it was given, else the one its schedule names, else the day before."""
    if params.get("day"):
        return date.fromisoformat(params["day"])
    if dag_run.data_interval_start is not None:
        return _utc_date(dag_run.data_interval_start)
    return _utc_date(dag_run.run_after) - timedelta(days=1)


def _utc_date(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
