"""Markers: chat messages of known ids, sent into the load one by one and searched for until they are found.

What is measured is the time until a search finds a message, not until the index has taken it.
"""

import contextlib
import threading
import time
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from codewave.client.identity import new_event_id
from codewave.contract.events import ChatPosted, ChatPostedPayload
from codewave.contract.frame import FRAME_VERSION, Header, frame
from codewave.local.kinesis import kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.opensearch import DEBUGGER, search_client
from codewave.local.settings import LocalSettings

COLLECTOR: Final = "bench-marker"
ROOMS: Final = 16
"""That take turns: each shard and each subtask has some."""
EVERY_S: Final = 0.2
POLL_S: Final = 0.05
"""Between two searches; how long one takes comes on top."""
_LATEST_S: Final = 60.0

_encode = msgspec.json.Encoder().encode


def marker(number: int, now_ms: int) -> tuple[str, str, bytes]:
    """A marker's room, event id and record; ``number`` counts all markers of a run from 1."""
    room_id = f"marker-{number % ROOMS:02d}"
    session_id = f"tab-{room_id}"
    event = ChatPosted(
        event_id=new_event_id(now_ms),
        version=1,
        room_id=room_id,
        session_id=session_id,
        user_id="user-marker",
        ordering_key=f"session:{session_id}",
        sequence=(number - 1) // ROOMS + 1,
        occurred_at=now_ms,
        received_at=now_ms,
        payload=ChatPostedPayload(f"marker {number}"),
    )
    header = Header(FRAME_VERSION, room_id, 1, "identity", COLLECTOR, number, now_ms)
    return room_id, event.event_id, frame(header, [_encode(event)])


class Markers:
    """Sends markers and searches for them, each in a thread of its own, while it is entered.

    :param first: number of the first marker; numbers go on over the runs of one job.
    """

    def __init__(self, settings: LocalSettings, namespace: Namespace, first: int) -> None:
        self.sent: dict[str, int] = {}
        """Event id → number, of those that the stream has taken."""
        self.found_ms: dict[str, float] = {}
        """Event id → when a search had found it, in ms since epoch."""
        self._namespace = namespace
        self._next = first
        self._stream = kinesis_client(settings)
        self._search = search_client(settings, DEBUGGER)
        self._lock = threading.Lock()
        self._stop_sending = threading.Event()
        self._stop = threading.Event()
        self._errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._send, self._find)]

    @property
    def next_number(self) -> int:
        """Of the marker that would come next."""
        return self._next

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_sending.set()
        give_up = time.monotonic() + _LATEST_S
        while kind is None and not self._errors and self._outstanding() and time.monotonic() < give_up:
            time.sleep(POLL_S)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if kind is None and self._errors:
            raise self._errors[0]

    def _run(self, work: Any) -> None:
        try:
            work()
        except Exception as failure:  # noqa: BLE001 -- raised again where the threads are waited for
            self._errors.append(failure)

    def _send(self) -> None:
        due = time.monotonic()
        while not self._stop_sending.wait(max(0.0, due - time.monotonic())):
            due += EVERY_S
            room_id, event_id, record = marker(self._next, time.time_ns() // 1_000_000)
            self._stream.put_record(StreamName=self._namespace.stream, PartitionKey=room_id, Data=record)
            with self._lock:
                self.sent[event_id] = self._next
            self._next += 1

    def _find(self) -> None:
        from opensearchpy.exceptions import OpenSearchException

        while not self._stop.wait(POLL_S):
            if wanted := self._outstanding():
                with contextlib.suppress(OpenSearchException):  # while an index is being created
                    found, now_ms = self._searched(wanted), time.time() * 1000
                    self.found_ms.update(dict.fromkeys(found, now_ms))

    def _outstanding(self) -> list[str]:
        with self._lock:
            return [event_id for event_id in self.sent if event_id not in self.found_ms]

    def _searched(self, wanted: list[str]) -> list[str]:
        answer = self._search.search(
            index=f"{self._namespace.index_prefix}chat-*",
            body={"query": {"terms": {"event_id": wanted}}, "_source": ["event_id"], "size": len(wanted)},
            params={"ignore_unavailable": "true", "allow_no_indices": "true"},
        )
        return [str(hit["_source"]["event_id"]) for hit in answer["hits"]["hits"]]
