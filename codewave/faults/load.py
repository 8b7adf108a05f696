"""A workload that is sent in the background while faults strike."""

import threading
import time
from collections.abc import Sequence
from typing import Final

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.run.play import play
from codewave.workload.options import WorkloadOptions
from codewave.workload.traces import Trace
from codewave.workload.truth import Truth

_POLL_S: Final = 0.1


class Load:
    """Plays a workload in a thread, from its making on.

    :param endpoint: URL through which the stream is reached; default the emulator's own.
    """

    def __init__(
        self,
        settings: LocalSettings,
        namespace: Namespace,
        options: WorkloadOptions,
        traces: Sequence[Trace] = (),
        *,
        endpoint: str | None = None,
    ) -> None:
        self.sent = 0
        """Real events sent so far."""
        self.expected = 0
        self._stop = threading.Event()
        self._truth: Truth | None = None
        self._error: BaseException | None = None
        self._arguments = (settings, namespace, list(traces), options)
        self._endpoint = endpoint
        self._thread = threading.Thread(target=self._play, name="load", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still sends."""
        return self._thread.is_alive()

    def wait_for_share(self, share: float, deadline_s: float = 120.0) -> None:
        """Wait until ``share`` (0 to 1) of the events are sent, or all.

        :raises CodewaveError: if that takes too long, or the sending has failed.
        """
        give_up = time.monotonic() + deadline_s
        while self.running and (not self.expected or self.sent < share * self.expected):
            if time.monotonic() > give_up:
                raise CodewaveError(f"load: {self.sent} of {self.expected} events sent after {deadline_s:.0f} s")
            time.sleep(_POLL_S)
        self._raise()

    def stop(self) -> None:
        """Send nothing new; what is under way is still delivered."""
        self._stop.set()

    def finish(self, deadline_s: float = 300.0) -> Truth:
        """Wait for the end of the sending.

        :returns: what was sent.
        :raises CodewaveError: if it does not end in time; and whatever ended the sending.
        """
        self._thread.join(deadline_s)
        self._raise()
        if self._truth is None:
            raise CodewaveError(f"load: still sending after {deadline_s:.0f} s, {self.sent} of {self.expected} events")
        return self._truth

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _play(self) -> None:
        settings, namespace, traces, options = self._arguments
        try:
            self._truth = play(
                settings, namespace, traces, options, self._progress, self._stop.is_set, endpoint=self._endpoint
            )
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error = error

    def _progress(self, sent: int, expected: int) -> None:
        self.sent, self.expected = sent, expected
