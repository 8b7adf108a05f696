"""Derived tables: which intervals late data touches, and the run that replaces one of them in one commit."""

from iceberg.derive.interval import Interval, intervals_between
from iceberg.derive.run import Derived, derive
from iceberg.derive.touched import Touched, mark_derived, touched_intervals

__all__ = ["Derived", "Interval", "Touched", "derive", "intervals_between", "mark_derived", "touched_intervals"]
