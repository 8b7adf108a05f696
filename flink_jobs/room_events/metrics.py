"""The job's own metrics, updated once a record: on Flink's REST interface, and on AWS in CloudWatch.

What each means and when to worry: ``docs/operator/metrics.md``. Only counters, gauges and meters reach CloudWatch; the
histogram is for Flink's page and ``codewave job status``. No gauge calls Python: metrics are read by other threads.
"""

from typing import TYPE_CHECKING, Any, Final

from codewave.contract.reasons import Reason
from udfs.execution import LOST
from udfs.isolate import Written
from udfs.rows import RecordAuditRow

if TYPE_CHECKING:
    from pyflink.metrics import MetricGroup

GROUP: Final = "kinesisanalytics"
"""Managed Flink sends the metrics of a group of this name to CloudWatch, and no others of ours."""

AUDITED: Final = {
    "eventsReceived": "received",
    "eventsStored": "stored",
    "eventsDuplicate": "duplicate",
    "eventsQuarantined": "quarantined",
    "eventsPending": "pending",
    "eventsReleased": "released",
    "eventsLate": "late",
}
"""Counter → the column of ``record_audit`` that it adds up."""
GAPS_DECLARED: Final = "gapsDeclared"
EXECUTIONS_LOST: Final = "executionsLost"
STEP_FAILURES: Final = "stepFailures"
ISOLATED: Final = "isolated"
BY_REASON: Final = {str(reason): f"quarantined_{reason}" for reason in Reason}
"""Reason → the counter of events quarantined for it."""
COUNTERS: Final = (*AUDITED, GAPS_DECLARED, EXECUTIONS_LOST, STEP_FAILURES, ISOLATED, *BY_REASON.values())

EVENTS_PER_SECOND: Final = "eventsPerSecond"
PROCESS_DELAY: Final = "processDelayMs"
PROCESS_DELAY_LAST: Final = "processDelayLastMs"
PROCESS_DELAY_MAX: Final = "processDelayMaxMs"
NAMES: Final = (*COUNTERS, EVENTS_PER_SECOND, PROCESS_DELAY, PROCESS_DELAY_LAST, PROCESS_DELAY_MAX)

_RATE_SECONDS: Final = 60
_RECORDS_IN_HISTOGRAM: Final = 1_000
_MAX_WINDOW_MS: Final = 30_000
_HISTOGRAM: Final = "org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram"


class Metrics:
    """The metrics of one subtask; a call into the JVM costs about 1 µs, so what is zero is not counted.

    :param group: of the operator.
    """

    def __init__(self, group: "MetricGroup") -> None:
        ours = group.add_group(GROUP)
        self._counters = {name: ours.counter(name) for name in COUNTERS}
        self._events = ours.meter(EVENTS_PER_SECOND, _RATE_SECONDS)
        self._last = ours.distribution(PROCESS_DELAY_LAST)
        self._max = _Maximum(ours.distribution(PROCESS_DELAY_MAX))
        self._delays = _histogram(ours, PROCESS_DELAY)

    def update(self, written: Written) -> None:
        """Count what a step made."""
        rows = written.rows
        for row in rows.get("record_audit", ()):
            self._count_audit(row)  # type: ignore[arg-type]
        if quarantined := rows.get("quarantined_events"):
            for row in quarantined:
                self._counters[BY_REASON[row.reason]].inc()  # type: ignore[attr-defined]
        if gaps := rows.get("sequence_gaps"):
            self._count(GAPS_DECLARED, sum(row.status == "declared" for row in gaps))  # type: ignore[attr-defined]
        if outcomes := rows.get("execution_outcomes"):
            self._count(EXECUTIONS_LOST, sum(row.outcome == LOST for row in outcomes))  # type: ignore[attr-defined]
        self._count(STEP_FAILURES, written.failures)
        self._count(ISOLATED, len(written.isolated))

    def _count_audit(self, row: RecordAuditRow) -> None:
        for name, column in AUDITED.items():
            self._count(name, getattr(row, column))
        if row.cause == "record":
            self._events.mark_event(row.received)
            self._last.update(row.process_delay_ms)
            self._delays.update(row.process_delay_ms)
            self._max.update(row.process_delay_ms, row.processed_at)

    def _count(self, name: str, number: int) -> None:
        if number:
            self._counters[name].inc(number)


class _Maximum:
    """Shows the highest value of the last one to two windows."""

    def __init__(self, gauge: Any) -> None:
        self._gauge = gauge
        self._shown = 0
        self._window = 0
        self._before = self._now = 0

    def update(self, value: int, at_ms: int) -> None:
        window = at_ms // _MAX_WINDOW_MS
        if window != self._window:
            self._before = self._now if window == self._window + 1 else 0
            self._window, self._now = window, 0
        self._now = max(self._now, value)
        highest = max(self._now, self._before)
        if highest != self._shown:
            self._shown = highest
            self._gauge.update(highest)


def _histogram(group: Any, name: str) -> Any:
    """Register Flink's own histogram, which PyFlink's interface leaves out."""
    from pemja import findClass  # there only inside a TaskManager

    return group._metrics.histogram(name, findClass(_HISTOGRAM)(_RECORDS_IN_HISTOGRAM))
