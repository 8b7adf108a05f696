"""A random schedule of faults: the same for the same seed, length and choice of faults."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from codewave.faults.fault import Fault
from codewave.workload.ids import random_for

FIRST_AFTER_S: Final = 5.0
"""The load runs for so long before the first fault."""
LONGEST_PAUSE_S: Final = 12.0
"""Between two faults: often less than a recovery takes, so that faults hit recoveries and checkpoints as well."""
SHORTEST_S: Final = 3.0
"""Of a fault that has a length."""


class Planned(Struct, frozen=True):
    """One fault of a schedule."""

    at_s: float
    """Seconds after the load began; later where the faults before it took longer than planned."""
    fault: str
    seconds: float
    """Its length; 0 for a fault of a moment."""


def plan(faults: Sequence[Fault], seed: int, minutes: float) -> list[Planned]:
    """Draw a schedule: in random order and at random times, every fault once before any comes again.

    :param faults: those to draw from, in the catalogue's order.
    :returns: as many as there is time for; at least one.
    """
    random = random_for(seed, "faults", minutes, *(fault.name for fault in faults))
    planned: list[Planned] = []
    waiting: list[Fault] = []
    at_s = FIRST_AFTER_S
    while True:
        waiting = waiting or random.sample(faults, len(faults))
        fault = waiting.pop()
        seconds = random.uniform(min(SHORTEST_S, fault.longest_s), fault.longest_s)
        if planned and at_s + seconds + fault.takes_s > minutes * 60:
            return planned
        planned.append(Planned(round(at_s, 1), fault.name, round(seconds, 1)))
        at_s += seconds + fault.takes_s + random.uniform(0, LONGEST_PAUSE_S)
