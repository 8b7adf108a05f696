"""Waiting for what was sent: its first event, and all of it."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from codewave.lake.reconcile import Reconciliation, reconcile
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.truth import Truth

STALLED_S: Final = 180.0
"""So long without anything more being stored, and the run gives up waiting; several checkpoints and a restart fit."""
_POLL_S: Final = 0.5


def wait_until_stored(
    settings: LocalSettings, namespace: Namespace, truth: Truth, progress: Callable[[int], None]
) -> Reconciliation:
    """Wait until the lake and the indices hold what was sent, or until nothing more comes.

    :param progress: told the number of events stored so far.
    :returns: the last reconciliation: closed, or with the difference.
    """
    seen: tuple[int, ...] = ()
    changed_at = time.monotonic()
    while True:
        result = reconcile(settings, namespace.name, truth)
        progress(result.stored)
        if result.closes and result.pending == 0 and (result.search_closes or not truth.received):
            return result
        indexed = (count.found + count.refused for count in result.search)
        found = (result.received, result.stored, result.difference, *indexed)
        if found != seen:
            seen, changed_at = found, time.monotonic()
        elif time.monotonic() - changed_at > STALLED_S:
            return result
        time.sleep(_POLL_S)


class FirstEvent:
    """Watches, in a thread of its own, for the first event that can be searched."""

    def __init__(self, settings: LocalSettings, namespace: Namespace) -> None:
        self._settings = settings
        self._namespace = namespace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="first-event", daemon=True)
        self.at: float | None = None
        """When it was found, on the monotonic clock; None until then."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        from opensearchpy.exceptions import OpenSearchException

        from codewave.local.opensearch import search_client

        client = search_client(self._settings)
        pattern = ",".join(
            f"{self._namespace.index_prefix}{index}*" for index in ("activity-", "chat-", "quarantine-", "rooms")
        )
        while not self._ended.wait(_POLL_S):
            try:
                if client.count(index=pattern, allow_no_indices=True, ignore_unavailable=True)["count"]:
                    self.at = time.monotonic()
                    return
            except OpenSearchException:
                continue  # an index is being created; the next look will do
