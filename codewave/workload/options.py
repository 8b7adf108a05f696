"""Options of a workload: which rooms and traces are played, how fast, and with which faults."""

import math
import secrets
import time
from typing import Final

from msgspec import Struct

from codewave.contract.limits import DEFAULT_LIMITS
from codewave.errors import WrongUseError
from codewave.workload.chaos import Chaos, parse_chaos

DEFAULT_SECONDS: Final = 30
DEFAULT_ROOMS: Final = 5
EVENTS_PER_ROOM_SECOND: Final = 10
"""What a generated room produces on average, in virtual time."""
MAX_ROOMS: Final = 100_000
MAX_SECONDS: Final = 7 * 24 * 3600


class WorkloadOptions(Struct, frozen=True, kw_only=True):
    """What to play."""

    rooms: int = DEFAULT_ROOMS
    """Generated rooms, beside the room that each trace gets."""
    seconds: int = DEFAULT_SECONDS
    """Virtual length of the generated rooms; traces are stretched or pressed into it and always play whole."""
    rate: float = 0
    """Real events a second; 0 is as fast as possible."""
    seed: int = 1
    start_ms: int
    """Virtual time 0 in ms since epoch: with the seed it determines every event except ``received_at``."""
    salt: str = ""
    """Goes into every id: play a seed again, beside what it left before, under another salt."""
    chaos: Chaos = Chaos()
    unfinished: float = 0
    """Share of the executions that never finish, 0 to 1."""
    event_bytes: int = DEFAULT_LIMITS.event_bytes
    """Size limit of an encoded event: longer edits are split."""


def start_for(seconds: int, now_ms: int | None = None) -> int:
    """The ``start_ms`` of a workload played now: its virtual times end at ``now_ms``, none is in the future."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return now - seconds * 1000


def options_for(  # noqa: PLR0913 - one per option of the command
    *,
    traces: int,
    rooms: int | None = None,
    seconds: int | None = None,
    rate: float = 0,
    seed: int | None = None,
    chaos: str = "",
    salt: str = "",
    now_ms: int | None = None,
) -> WorkloadOptions:
    """Options as a person gives them.

    :param traces: how many traces are played; with any, no rooms are generated unless asked for.
    :param rooms: default :data:`DEFAULT_ROOMS`.
    :param seconds: default :data:`DEFAULT_SECONDS`.
    :param seed: default a new one, so that nothing sent before is sent again.
    :param chaos: as :func:`~codewave.workload.chaos.parse_chaos` reads it.
    :raises WrongUseError: a value out of its range.
    """
    rooms = (0 if traces else DEFAULT_ROOMS) if rooms is None else rooms
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    _check_range("rooms", rooms, 0, MAX_ROOMS)
    _check_range("seconds", seconds, 1, MAX_SECONDS)
    _check_range("rate", rate, 0, math.inf)
    return WorkloadOptions(
        rooms=rooms,
        seconds=seconds,
        rate=rate,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        start_ms=start_for(seconds, now_ms),
        salt=salt,
        chaos=parse_chaos(chaos),
    )


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        raise WrongUseError(
            f"--{name} {value:g}: must be {least:g} {'or more' if most == math.inf else f'to {most:g}'}"
        )
