"""Waiting for a condition with a deadline."""

import time
from collections.abc import Callable

import pytest

DEADLINE_S = 180.0


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until ``condition`` holds, or fail naming ``what`` did not happen."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.3)
