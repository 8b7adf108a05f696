"""Delays: read from the audit of records, and their percentiles."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from bench.contender import ContenderError
from codewave.local.catalog import load_catalog
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

_DEADLINE_S: Final = 90.0
_POLL_S: Final = 1.0
_COLUMNS: Final = ("cause", "room_id", "collector", "batch", "arrived_at", "received", "process_delay_ms")


class Audited(Struct, frozen=True):
    """One record, as the job tells of it."""

    room_id: str
    collector: str
    batch: int
    arrived_ms: int
    """When the stream took it, in ms since epoch."""
    events: int
    delay_ms: int
    """Until its rows were handed to the sinks."""


def percentile(share: float, values: Iterable[tuple[float, int]]) -> float:
    """The least value that so many do not exceed.

    :param share: 0.5 for the median.
    :param values: each with how often it counts.
    """
    ordered = sorted(values)
    left = share * sum(weight for _, weight in ordered)
    for value, weight in ordered:
        left -= weight
        if left <= 0:
            return value
    raise ContenderError("latency: no delays were measured")


def audited_since(settings: LocalSettings, namespace: Namespace, begin_ms: int, events: int) -> list[Audited]:
    """The records that came since ``begin_ms``, once all of them are in the lake.

    :param events: in those records together.
    :raises ContenderError: if there are fewer after a minute and a half.
    """
    give_up = time.monotonic() + _DEADLINE_S
    while True:
        found = _read(settings, namespace, begin_ms)
        if (seen := sum(one.events for one in found)) >= events:
            return found
        if time.monotonic() > give_up:
            raise ContenderError(f"latency: {seen:,} of {events:,} events are in the lake after {_DEADLINE_S:.0f} s")
        time.sleep(_POLL_S)


def _read(settings: LocalSettings, namespace: Namespace, begin_ms: int) -> list[Audited]:
    begin = datetime.fromtimestamp(begin_ms / 1000, UTC).isoformat()
    table = load_catalog(settings).load_table(namespace.table("record_audit"))
    wanted = f"cause = 'record' AND arrived_at >= '{begin}'"
    rows = table.scan(row_filter=wanted, selected_fields=_COLUMNS).to_arrow().to_pylist()
    return [
        Audited(
            row["room_id"] or "",
            row["collector"] or "",
            row["batch"] or 0,
            round(row["arrived_at"].timestamp() * 1000),
            row["received"],
            row["process_delay_ms"],
        )
        for row in rows
    ]
