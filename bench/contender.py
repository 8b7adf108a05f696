"""What is compared: a way to process the input, and what is measured of it."""

from typing import Final, Protocol

from msgspec import Struct

from bench.input import Input
from codewave.errors import CodewaveError

WARM_UP_SHARE: Final = 0.4
"""Share of the events before the measured part, the same for every contender. How much of its work Java's compiler
still does after it depends on the number of events: ``Measurement.compiling_seconds``."""
SHORTEST_S: Final = 1.0
"""A measured part is at least this long, or its figures are not taken for any: Flink is asked for them a few times a
second."""
SHORTEST_TIMED_S: Final = 0.3
"""As :data:`SHORTEST_S`, for contenders that take their times themselves: a quick machine needs no more."""


class Measurement(Struct):
    """One run of a contender. The measured part begins after :data:`WARM_UP_SHARE` of the events and ends with them."""

    events: int
    """In the measured part."""
    seconds: float
    """Of the measured part."""
    cpu_seconds: float
    """Of all the contender's processes in the measured part."""
    rss_bytes: int
    """The highest of all the contender's processes together."""
    startup_seconds: float
    """Until the first event; in no other figure."""
    stored: int
    """Events that it put out, each once; of the whole run."""
    compiling_seconds: float = 0.0
    """Of ``cpu_seconds``, what Java's compiler used: 0 where there is no Java, little where it is warm."""


class ContenderError(CodewaveError):
    """A contender cannot run here, or ran wrongly; says what is missing or what to do."""


class Contender(Protocol):
    """One way to process the input.

    ``name`` is for the command line and results, ``title`` for people. ``slow``: the contender takes an input of that
    many times fewer events, so that it does not hold up the others.
    """

    name: str
    title: str
    slow: int

    def run(self, data: Input) -> Measurement:
        """Process ``data`` once, from nothing.

        :raises ContenderError: where it cannot.
        """
        ...

    def close(self) -> None:
        """End what runs were started for, such as a server."""
        ...
