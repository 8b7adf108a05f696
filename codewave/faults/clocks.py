"""Senders whose clocks are wrong by days: a laptop, or a client library with no collector behind it."""

from typing import Final

from msgspec import Struct, structs

from codewave.faults.fault import Fault, Scene
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.run.play import play
from codewave.workload.ids import token_for
from codewave.workload.options import EVENTS_PER_ROOM_SECOND, WorkloadOptions, options_for
from codewave.workload.truth import Truth

DAY_MS: Final = 86_400_000
_RATE: Final = 50.0
"""Events a second: beside the load, not in its place."""
_LONGEST_S: Final = 20.0
_CHAOS: Final = "duplicate=0.05 reorder=0.05 malformed=0.02"


class Skew(Struct, frozen=True):
    """How far clocks are off, in ms; positive is ahead."""

    name: str
    occurred_ms: int
    """The writer's clock: ``occurred_at``."""
    received_ms: int
    """The sender's clock: ``received_at`` and the record's ``sent_at``."""


SKEWS: Final = (
    Skew("a laptop three days ahead", 3 * DAY_MS, 0),
    Skew("a laptop three days behind", -3 * DAY_MS, 0),
    Skew("a client library three days ahead", 3 * DAY_MS, 3 * DAY_MS),
    Skew("a client library three days behind", -3 * DAY_MS, -3 * DAY_MS),
)


def play_skewed(
    settings: LocalSettings, namespace: Namespace, options: WorkloadOptions, skew: Skew, endpoint: str | None = None
) -> Truth:
    """Send a workload by wrong clocks; as :func:`codewave.run.play.play`."""
    off = structs.replace(options, start_ms=options.start_ms + skew.occurred_ms)
    return play(settings, namespace, [], off, endpoint=endpoint, off_ms=skew.received_ms)


def clocks_skewed(scene: Scene, seconds: float) -> str:
    """Let senders with wrong clocks take part for a while, one after the other, each in a room of its own."""
    each_s = seconds / len(SKEWS)
    for skew in SKEWS:
        options = options_for(
            traces=0,
            rooms=1,
            seconds=max(1, round(each_s * _RATE / EVENTS_PER_ROOM_SECOND)),
            rate=_RATE,
            seed=scene.random.randrange(2**31),
            salt=token_for(skew.name, scene.random.random()),
            chaos=_CHAOS,
        )
        truth = play_skewed(scene.settings, scene.namespace, options, skew, scene.proxies.stream.url)
        scene.sent.append(truth)
    events = sum(truth.events for truth in scene.sent[-len(SKEWS) :])
    return f"{events:,} events by clocks three days off"


CLOCK_FAULTS: Final = (
    Fault(
        name="skew-clocks",
        summary="writers and senders whose clocks are three days ahead or behind take part",
        strike=clocks_skewed,
        longest_s=_LONGEST_S,
    ),
)
