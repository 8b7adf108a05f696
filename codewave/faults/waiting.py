"""Waiting for the real processes, with a deadline."""

import time
from collections.abc import Callable

from codewave.errors import CodewaveError


def wait_until(done: Callable[[], bool], deadline_s: float, otherwise: str, poll_s: float) -> None:
    """Look every ``poll_s`` seconds until ``done``.

    :param otherwise: what is wrong if it takes too long, before the seconds: ``stream x is not active after``.
    :raises CodewaveError: if it is not done in time.
    """
    give_up = time.monotonic() + deadline_s
    while not done():
        if time.monotonic() > give_up:
            raise CodewaveError(f"{otherwise} {deadline_s:.0f} s; see `codewave status`")
        time.sleep(poll_s)
