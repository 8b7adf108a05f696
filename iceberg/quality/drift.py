"""Drift: whether a column's profile differs from the seven before it by more than they differ among themselves.

A number has drifted if it lies outside the interval that would hold the next one of seven normal values with 99.8 %
probability, and is far enough from their mean to matter. The share of each of few values has drifted together if
their population stability index is above 0.25, or if a value comes up that was never there.
"""

from collections.abc import Mapping, Sequence
from math import inf, log, sqrt
from statistics import fmean, stdev
from typing import Any, Final

from msgspec import Struct, structs

HISTORY: Final = 7
"""Profiles that are compared with: a week, so that each kind of day is in it. With fewer nothing is said."""

STUDENT_T: Final = 5.208
"""0.999 quantile of Student's t with 6 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods,
1.3.6.7.2), for the prediction interval of one more value, mean ± t·s·√(1 + 1/n) (Hahn and Meeker, Statistical
Intervals, 1991). Both sides: 2 in 1,000 columns that have not changed are told all the same, if they vary normally."""

LEAST_CHANGE: Final = 0.10
"""Of the mean; for the share of empty values :data:`LEAST_SHARE`. What has been constant may flicker by this."""

LEAST_SHARE: Final = 0.01

STABILITY_INDEX: Final = 0.25
"""Population stability index from which a distribution counts as changed (Siddiqi, Credit Risk Scorecards, 2006:
below 0.1 no change, above 0.25 a major one)."""

_LEAST_SEEN: Final = 1e-4
"""Share that stands for none at all, where the index would be infinite."""


class TopValue(Struct, frozen=True):
    """A value of a column with few different ones."""

    value: str
    rows: int


class Drift(Struct, frozen=True):
    """One way in which a column differs from before."""

    what: str
    now: float | str
    before: float | str
    """The mean of the profiles before."""

    def __str__(self) -> str:
        return f"{self.what} {_shown(self.now)}, before {_shown(self.before)}"


def drift_of(profile: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> list[Drift]:
    """How a column's profile differs from those before.

    :param profile: fields of a row of ``column_profiles``; so are those of ``before``.
    :returns: nothing where there are fewer than :data:`HISTORY` before.
    """
    if len(before) < HISTORY:
        return []
    found = [
        _of_number("rows", profile["rows"], [one["rows"] for one in before], share=False),
        _of_number("share of empty values", _empty(profile), [_empty(one) for one in before], share=True),
    ]
    for field, what in (("distinct_values", "different values"), ("mean", "mean")):
        values = [one[field] for one in before if one[field] is not None]
        if profile[field] is not None and len(values) == HISTORY:
            found.append(_of_number(what, profile[field], values, share=False))
    found += _of_values(_shares(profile), [_shares(one) for one in before])
    return [one for one in found if one is not None]


def _of_number(what: str, now: float, before: list[float], *, share: bool) -> Drift | None:
    mean = fmean(before)
    change = abs(now - mean)
    least = LEAST_SHARE if share else LEAST_CHANGE * abs(mean)
    allowed = STUDENT_T * stdev(before) * sqrt(1 + 1 / len(before))
    return Drift(what, now, mean) if change > max(allowed, least) else None


def _of_values(now: dict[str, float], before: list[dict[str, float]]) -> list[Drift | None]:
    if not now or not all(before):
        return []
    known = {value for one in before for value in one}
    found: list[Drift | None] = [Drift("new value", value, "none") for value in now if value not in known]
    mean = {value: fmean(one.get(value, 0.0) for one in before) for value in known}
    index = _stability_index(now, mean)
    if index > STABILITY_INDEX:
        found.append(Drift("stability index of its values", index, "0"))
    return found


def _stability_index(now: dict[str, float], before: dict[str, float]) -> float:
    total = 0.0
    for value in now.keys() | before.keys():
        new, old = max(now.get(value, 0), _LEAST_SEEN), max(before.get(value, 0), _LEAST_SEEN)
        total += (new - old) * log(new / old)
    return total


def _empty(profile: Mapping[str, Any]) -> float:
    rows: int = profile["rows"]
    return profile["nulls"] / rows if rows else inf


def _shares(profile: Mapping[str, Any]) -> dict[str, float]:
    rows = [one if isinstance(one, Mapping) else structs.asdict(one) for one in profile["top_values"] or ()]
    total = sum(one["rows"] for one in rows)
    return {one["value"]: one["rows"] / total for one in rows}


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.4g}"
