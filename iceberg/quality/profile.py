"""Column profiles: what each column of a table looked like on a day, counted by the engine and compared with before."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from msgspec import Struct, structs
from pyiceberg.expressions import And

from iceberg.definition import Column
from iceberg.derive.interval import interval_of
from iceberg.lake import Lake
from iceberg.quality.conditions import between, equal
from iceberg.quality.drift import HISTORY, Drift, TopValue, drift_of
from iceberg.quality.scope import scope_of
from iceberg.quality.statements import statement
from iceberg.quality.store import PROFILES, replace_rows

FEW_VALUES: Final = 20
"""A column with more different values than this has no top values: they would be ids."""

_HISTORY_DAYS: Final = 30
"""How far back the profiles before are looked for: a table that is not written on weekends still has seven."""
_NUMBERS: Final = ("long", "double")
_WITH_TOP_VALUES: Final = ("string", "boolean")
_ASKED: Final = ("present", "distinct", "smallest", "largest", "mean")

log = logging.getLogger(__name__)


class Profile(Struct, frozen=True, kw_only=True):
    """A row of ``column_profiles``."""

    table_name: str
    column_name: str
    day: date
    rows: int
    nulls: int
    distinct_values: int | None = None
    smallest: str | None = None
    largest: str | None = None
    mean: float | None = None
    top_values: list[TopValue] = []
    drift: str | None = None
    profiled_at: datetime


class _Rows(Struct, frozen=True):
    """The rows that are profiled."""

    lake: Lake
    table: str
    day: date

    def select(self, file: str, **parts: str) -> list[dict[str, Any]]:
        """Ask the engine what a file of this folder's SQL asks of these rows."""
        scope, interval = scope_of(self.lake.definition(self.table)), interval_of("day", self.day)
        sql = statement(file, table=self.table, rows=scope.sql(interval), **parts)
        found: list[dict[str, Any]] = self.lake.engine.select(sql, scope.parameters(interval)).to_pylist()
        return found


def profile_day(lake: Lake, table: str, day: date) -> list[Profile]:
    """Profile the rows of a day, compare with the seven profiles before, and store; drift is logged as a warning.

    A table without times is profiled whole. A day without rows has no profile.

    :raises CodewaveError: if the table has not been made, or the engine fails.
    """
    before = _before(lake, table, day)
    profiles = [_with_drift(one, before.get(one.column_name, [])) for one in _profiles(_Rows(lake, table, day))]
    where = And(equal("table_name", table), equal("day", day.isoformat()))
    replace_rows(lake, PROFILES, where, [_values(one) for one in profiles])
    for one in profiles:
        if one.drift:
            log.warning("quality: %s.%s on %s drifts: %s", table, one.column_name, day, one.drift)
    return profiles


def _profiles(rows: _Rows) -> list[Profile]:
    columns = [column for column in rows.lake.definition(rows.table).columns if column.type != "list"]
    aggregates = ",\n    ".join(text for place, column in enumerate(columns) for text in _aggregates(place, column))
    found = rows.select("profile.sql", aggregates=aggregates)[0]
    if not found["all_rows"]:
        return []
    now = datetime.now(UTC)
    return [
        _profile(rows, column, now, found["all_rows"], {name: found.get(f"{name}_{place}") for name in _ASKED})
        for place, column in enumerate(columns)
    ]


def _aggregates(place: int, column: Column) -> list[str]:
    name = column.name
    asked = [f"COUNT({name}) AS present_{place}"]
    if column.classification != "user_content":
        asked.append(f"APPROX_DISTINCT({name}) AS distinct_{place}")
    if column.classification == "metadata" and column.type != "boolean":
        asked += [f"MIN({name}) AS smallest_{place}", f"MAX({name}) AS largest_{place}"]
    if column.classification == "metadata" and column.type in _NUMBERS:
        asked.append(f"AVG({name}) AS mean_{place}")
    return asked


def _profile(rows: _Rows, column: Column, now: datetime, total: int, found: dict[str, Any]) -> Profile:
    distinct, mean = found["distinct"], found["mean"]
    few = column.classification == "metadata" and column.type in _WITH_TOP_VALUES and 0 < (distinct or 0) <= FEW_VALUES
    return Profile(
        table_name=rows.table,
        column_name=column.name,
        day=rows.day,
        rows=total,
        nulls=total - found["present"],
        distinct_values=distinct,
        smallest=_text(found["smallest"]),
        largest=_text(found["largest"]),
        mean=None if mean is None else float(mean),
        top_values=_top_values(rows, column.name) if few else [],
        profiled_at=now,
    )


def _top_values(rows: _Rows, column: str) -> list[TopValue]:
    found = rows.select("top_values.sql", column=column, most=str(FEW_VALUES))
    return [TopValue(row["top_value"], row["value_rows"]) for row in found]


def _before(lake: Lake, table: str, day: date) -> dict[str, list[dict[str, Any]]]:
    """By column, its rows of the last profiled days before ``day``, the newest first."""
    since = day - timedelta(days=_HISTORY_DAYS)
    where = And(equal("table_name", table), between("day", since.isoformat(), day.isoformat()))
    rows = lake.load(PROFILES).scan(row_filter=where).to_arrow().sort_by([("day", "descending")]).to_pylist()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        kept = found.setdefault(row["column_name"], [])
        if len(kept) < HISTORY:
            kept.append(row)
    return found


def _with_drift(profile: Profile, before: list[dict[str, Any]]) -> Profile:
    drifts: list[Drift] = drift_of(structs.asdict(profile), before)
    return structs.replace(profile, drift="; ".join(str(one) for one in drifts) or None)


def _values(profile: Profile) -> dict[str, Any]:
    return structs.asdict(profile) | {"top_values": [structs.asdict(one) for one in profile.top_values]}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)
