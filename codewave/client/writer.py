"""Numbering events: the single writer of an ordering key gives its sequences, and splits what is too long."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from codewave.client.identity import new_event_id, now_millis
from codewave.client.split import event_limit, split_edit, split_output
from codewave.contract.events import (
    DocumentEdited,
    DocumentEditedPayload,
    Event,
    ExecutionOutput,
    ExecutionOutputPayload,
    Parent,
    Patch,
)
from codewave.contract.limits import DEFAULT_LIMITS, Limits

_Event = TypeVar("_Event", bound=Event)


class SequenceNumbers:
    """The last sequence given per ordering key.

    :param last: where keys go on that were written before, as ordering key → last sequence.
    """

    def __init__(self, last: Mapping[str, int] | None = None) -> None:
        self._last = dict(last or {})

    def last(self, ordering_key: str) -> int:
        """The last sequence given; 0 for a new key."""
        return self._last.get(ordering_key, 0)

    def advance(self, ordering_key: str, count: int) -> None:
        """The next ``count`` sequences are given."""
        self._last[ordering_key] = self.last(ordering_key) + count

    def forget(self, ordering_key: str) -> None:
        """Drop a key that will not be written again, so that memory stays bounded."""
        self._last.pop(ordering_key, None)


class EventWriter:
    """Makes the numbered events of one session (a browser tab, a worker), ready for ``Producer.send_pieces``.

    It is the single writer of its ordering keys: share ``numbers`` between sessions that write to the same key, and
    use them from one thread.

    :param limits: sizes above which edits and outputs are split.
    :param clock: ms since epoch, for ``occurred_at`` and the ids' time.
    :param new_id: an event id of a time.
    """

    def __init__(  # noqa: PLR0913 - keyword-only options with defaults
        self,
        room_id: str,
        session_id: str,
        user_id: str,
        *,
        numbers: SequenceNumbers | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], int] = now_millis,
        new_id: Callable[[int], str] = new_event_id,
    ) -> None:
        self.numbers = SequenceNumbers() if numbers is None else numbers
        self._envelope = {"room_id": room_id, "session_id": session_id, "user_id": user_id, "version": 1}
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._chunks = SequenceNumbers()

    def edit(  # noqa: PLR0913 - the payload's optional fields
        self,
        document_id: str,
        patches: list[Patch],
        *,
        base_sequence: int | None = None,
        checksum: int | None = None,
        parents: list[Parent] | None = None,
        peer: str | None = None,
    ) -> list[DocumentEdited]:
        """An edit as one event, or several where it is too long.

        :param base_sequence: the operation it was made upon; default: the last one of the document.
        :param checksum: CRC-32 of the UTF-8 text after the whole edit.
        :param parents: of a concurrent edit, with ``peer``.
        :param peer: the CRDT peer that numbers its own operations of the document.
        """
        key = f"document:{document_id}" + (f"/{peer}" if peer else "")
        base = self.numbers.last(key) if base_sequence is None else base_sequence
        payload = DocumentEditedPayload(document_id, base, patches, parents, checksum)
        pieces = split_edit(self._next(DocumentEdited, key, payload), event_limit(self._limits, DocumentEdited))
        self.numbers.advance(key, len(pieces))
        return pieces

    def output(self, execution_id: str, stream: Literal["stdout", "stderr"], text: str) -> list[ExecutionOutput]:
        """A program's output as one chunk, or several where it is too long."""
        key = f"execution:{execution_id}"
        chunks = f"{execution_id}/{stream}"
        payload = ExecutionOutputPayload(execution_id, stream, self._chunks.last(chunks) + 1, text)
        pieces = split_output(self._next(ExecutionOutput, key, payload), event_limit(self._limits, ExecutionOutput))
        self.numbers.advance(key, len(pieces))
        self._chunks.advance(chunks, len(pieces))
        return pieces

    def event(self, event_type: type[_Event], ordering_key: str, payload: Any) -> _Event:
        """An event of any other type, with the next sequence of its ordering key.

        :param payload: the payload Struct of ``event_type``.
        """
        event = self._next(event_type, ordering_key, payload)
        self.numbers.advance(ordering_key, 1)
        return event

    def forget_execution(self, execution_id: str) -> None:
        """Drop the numbers of an execution that has ended, so that memory stays bounded."""
        self.numbers.forget(f"execution:{execution_id}")
        for stream in ("stdout", "stderr"):
            self._chunks.forget(f"{execution_id}/{stream}")

    def _next(self, event_type: type[_Event], ordering_key: str, payload: Any) -> _Event:
        now = self._clock()
        fields: dict[str, Any] = {
            **self._envelope,
            "event_id": self._new_id(now),
            "ordering_key": ordering_key,
            "sequence": self.numbers.last(ordering_key) + 1,
            "occurred_at": now,
            "received_at": now,
            "payload": payload,
        }
        return event_type(**fields)
