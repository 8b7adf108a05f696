"""Sending a workload to a namespace's stream on the local stack."""

from collections.abc import Callable, Sequence
from typing import Final

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.options import WorkloadOptions
from codewave.workload.player import Progress
from codewave.workload.traces import Trace
from codewave.workload.truth import Truth

_MAX_BUFFERED_EVENTS: Final = 20_000
"""Few, so that ``received_at`` is close to when the stream gets the event."""
_SEND_TIMEOUT_S: Final = 120.0


def play(  # noqa: PLR0913, PLR0917 - the caller's view of one sending
    settings: LocalSettings,
    namespace: Namespace,
    traces: Sequence[Trace],
    options: WorkloadOptions,
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
    endpoint: str | None = None,
    off_ms: int = 0,
) -> Truth:
    """Send a workload to a namespace's stream on the local stack.

    :param progress: called a few times a second with the real events sent and expected.
    :param stopped: asked before each event; once true, the rest is left out.
    :param endpoint: URL through which the stream is reached; default the emulator's own.
    :param off_ms: how far the sender's clock is off: ``received_at`` and ``sent_at`` are by it.
    :returns: the truth about what was sent; everything in it was acknowledged by the stream.
    :raises CodewaveError: the stream does not answer or takes nothing any more.
    """
    from codewave.client import Producer, ProducerSettings, kinesis_transport, new_collector_id
    from codewave.local.kinesis import REGION
    from codewave.workload.player import Clock, Player

    _check_stream(settings, namespace)
    producer_settings = ProducerSettings(
        collector=new_collector_id("play"),
        stamp_received_at=False,
        max_buffered_events=_MAX_BUFFERED_EVENTS,
        send_timeout_s=_SEND_TIMEOUT_S,
    )
    transport = kinesis_transport(endpoint or settings.kinesis_endpoint, REGION, namespace.stream)
    clock = Clock(off_ms)
    with Producer(transport, producer_settings, clock=clock.now_ms) as producer:
        return Player(list(traces), options, producer, clock).play(progress, stopped)


def _check_stream(settings: LocalSettings, namespace: Namespace) -> None:
    """Fail at once, with what to do, where there is no stream or nothing answers."""
    from codewave.local.kinesis import describe_stream, kinesis_answers

    endpoint = settings.kinesis_endpoint
    if not kinesis_answers(settings):
        raise CodewaveError(f"play: no stream answers at {endpoint}; start the local stack with codewave up")
    if describe_stream(settings, namespace.name) is None:
        raise CodewaveError(f"play: there is no stream {namespace.stream} at {endpoint}; create it with codewave up")
