"""The daily report on reliability: kept as a file, and an alert where the error budget is spent or goes too fast."""

from typing import TYPE_CHECKING, Final

import msgspec

from codewave.orchestration.alerts import error_budget

if TYPE_CHECKING:
    from iceberg.lake import Lake
    from iceberg.reliability.budget import Reliability

FILE: Final = "reliability.json"
"""In the lake's folder of state: the last report."""


def report(lake: "Lake") -> "Reliability":
    """Make the report, write it, and alert where somebody has to act."""
    from iceberg.reliability.report import reliability_report

    found = reliability_report(lake)
    lake.state.mkdir(parents=True, exist_ok=True)
    draft = lake.state / f"{FILE}.new"
    draft.write_bytes(msgspec.json.encode(found))
    draft.replace(lake.state / FILE)
    if reasons := _reasons(found):
        error_budget("; ".join(reasons))
    return found


def _reasons(found: "Reliability") -> list[str]:
    reasons = [
        f"over {burn.hours} h the budget goes {burn.rate:.1f} times as fast as it lasts, alert at {burn.alert_at}"
        for burn in found.burn_rates
        if burn.alert
    ]
    if not found.met:
        spent = f"{found.spent_minutes:.1f} of {found.budget_minutes:.1f} minutes"
        reasons.insert(0, f"the objective of {found.objective:.2%} is missed: {spent} are spent")
    return reasons
