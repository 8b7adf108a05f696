"""A lake of three days for tests of the billing close: executions as the stream stores them, derived and closable."""

import copy
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from example_lake import NAMESPACE, ExampleLake, sqlite_catalog
from example_rooms import ROOM, START_MS, finished, output, queued, record, started
from pyiceberg.expressions import EqualTo

from codewave.contract.events import Event
from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions
from iceberg.billing import Seal, close_day
from iceberg.billing.checks import SOURCES
from iceberg.definition import read_definitions
from iceberg.derive import derive
from iceberg.derive.interval import interval_of
from iceberg.lake import Lake
from udfs.quarantine import Record
from udfs.room import Step
from udfs.rows import LAKE_OUTPUTS
from udfs.rules import Rules
from udfs.state import KeyStates, RoomState

FIRST: Final = date(2026, 1, 1)
SECOND: Final = FIRST + timedelta(days=1)
THIRD: Final = FIRST + timedelta(days=2)
LATER: Final = datetime(2026, 2, 1, tzinfo=UTC)
"""When all of these days are over."""
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000


def events_of(execution: str, day: int = 0, cpu_ms: int = 120) -> list[Event]:
    """One execution from queued to finished, an hour into a day counted from the first."""
    at = START_MS + day * DAY_MS + HOUR_MS
    return [
        queued(1, execution=execution, at=at),
        started(2, execution=execution, at=at + 100),
        output(3, execution=execution, at=at + 200),
        finished(4, cpu_ms=cpu_ms, execution=execution, at=at + 580),
    ]


class BillingLake(ExampleLake):
    """As the example lake, with the tables of billing; its records arrive when their last event was received."""

    def __init__(self, folder: Path) -> None:
        """Make the tables; where the folder has a lake, open that."""
        self.catalog = sqlite_catalog(folder)
        self.warehouse = folder / "warehouse"
        definitions = tuple(one for one in read_definitions() if one.name in SOURCES)
        apply_definitions(self.catalog, Namespace(NAMESPACE), definitions)
        self._state, self._keys, self._records = RoomState(), KeyStates(lambda _: None), 0
        self.lake = Lake(self.catalog, Namespace(NAMESPACE), self.engine(), folder / "state", definitions)

    def take(self, *events: Event) -> None:
        """Let the stream's logic take in one record of these events."""
        self._records += 1
        arrived = max(event.received_at for event in events) + 500
        step = Step(ROOM, self._state, self._keys, Rules(), arrived + 500)
        rows = step.process(Record(record(list(events)), "shard-0", str(self._records), arrived))
        for name in sorted(LAKE_OUTPUTS.keys() & rows.keys()):
            self.append(name, *rows[name])

    def run(self, *executions: str, day: int = 0, cpu_ms: int = 120) -> None:
        """Some executions of one day, start to end."""
        self.take(*(event for execution in executions for event in events_of(execution, day, cpu_ms)))

    def derive(self, *days: date) -> None:
        """Bring the ledger and usage of these days up to date."""
        for day in days:
            for table in ("executions", "usage_daily"):
                derive(self.lake, table, interval_of("day", day))

    def close(self, day: date, **more: Any) -> Seal:
        """Close a day, long after it is over."""
        return close_day(self.lake, day, **{"now": LATER, **more})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        found: list[dict[str, Any]] = self.lake.load(table).scan().to_arrow().to_pylist()
        return found

    def remove(self, table: str, **where: Any) -> None:
        """Remove rows by hand."""
        column, value = next(iter(where.items()))
        before = len(self.rows(table))
        self.lake.load(table).delete(EqualTo(column, value))
        assert len(self.rows(table)) < before

    def copy(self, table: str, **where: Any) -> None:
        """Put rows in a second time by hand."""
        column, value = next(iter(where.items()))
        handle = self.lake.load(table)
        rows = handle.scan(row_filter=EqualTo(column, value)).to_arrow()
        assert rows.num_rows
        handle.append(rows)

    def change(self, table: str, column: str, value: Any, **where: Any) -> None:
        """Change a column of rows by hand."""
        key, wanted = next(iter(where.items()))
        handle = self.lake.load(table)
        schema = handle.schema().as_arrow()
        rows = handle.scan(row_filter=EqualTo(key, wanted)).to_arrow().to_pylist()
        assert rows
        changed = pa.Table.from_pylist([row | {column: value} for row in rows], schema=schema)
        handle.overwrite(changed, overwrite_filter=EqualTo(key, wanted))


class Template:
    """A lake that is made once and opened anew, as it was, for every test.

    Its files name each other by their full paths, so it is always opened at the place where it was made.
    """

    def __init__(self, folder: Path, fill: Callable[[BillingLake], None]) -> None:
        """Make it."""
        self._place, self._kept = folder / "lake", folder / "kept"
        self._place.mkdir(parents=True)
        lake = BillingLake(self._place)
        fill(lake)
        self._stream = copy.deepcopy((lake._state, lake._keys, lake._records))
        self._place.rename(self._kept)

    def open(self) -> BillingLake:
        """The lake as it was filled."""
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._kept, self._place)
        lake = BillingLake(self._place)
        lake._state, lake._keys, lake._records = copy.deepcopy(self._stream)
        return lake
