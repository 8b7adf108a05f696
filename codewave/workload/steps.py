"""Steps of a workload: one real event at its virtual time."""

from typing import NamedTuple

from codewave.contract.events import AnyEvent


class Step(NamedTuple):
    """One real event; steps of several sources merge by ``(at_ms, source)``."""

    at_ms: int
    """Virtual time, ms since the workload's start."""
    source: int
    """Number of the room or trace, distinct in a workload."""
    event: AnyEvent
    text: str | None
    """The document's text after the event, if it is an edit."""
