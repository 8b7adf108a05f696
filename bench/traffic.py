"""The events of one room: edits, cursor moves, chat and executions, some of them twice and some in the wrong order."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec

from codewave.contract import events as e

_WRITTEN: Final = 4_000_000
"""Characters that texts are cut out of: so many that hardly one comes twice."""
_SHORTEST_TEXT: Final = 320
_LONGEST_TEXT: Final = 1_320
"""With these, an event has about 950 bytes of JSON."""
_WORDS: Final = (
    'def return import lambda yield async await for while self value result print("x") if else None True False index '
    "buffer stream {a:1} [0] + - * / == != <= >= room doc edit"
)
_FOREIGN_WORDS: Final = " κόσμε naïve"
_FOREIGN_SHARE: Final = 0.03
"""Of the texts, those with characters beyond ASCII: of the final texts of the editing histories in
``tests/workload/traces``, cut into pieces of 800 characters, 5 of 168 have some (3 %)."""
_USERS: Final = 5
_DOCUMENTS: Final = 5
_EDITS: Final = 0.60
_CURSORS: Final = 0.85
_CHAT: Final = 0.90
"""Upper ends of the shares; what is left are executions."""
_RECENT: Final = 32
"""Events of the room that a duplicate repeats one of; far fewer than the stream remembers."""
_LONGEST_LIFE: Final = 24
"""Events of the longest execution; the last so many events of a room begin none, so that each has its whole life."""

_encode = msgspec.json.Encoder().encode


class Texts:
    """What is written and printed, cut out of long texts: generating must not be slower than what it is for."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._plain = _long_text(chance, _WORDS)
        self._foreign = _long_text(chance, _WORDS + _FOREIGN_WORDS)

    def one(self) -> str:
        """A text, hardly ever the same twice."""
        chance = self._chance
        whole = self._foreign if chance.random() < _FOREIGN_SHARE else self._plain
        start = int(chance.random() * (len(whole) - _LONGEST_TEXT))
        return whole[start : start + int(_SHORTEST_TEXT + chance.random() * (_LONGEST_TEXT - _SHORTEST_TEXT))]


def _long_text(chance: random.Random, words: str) -> str:
    return " ".join(chance.choices(words.split(), k=_WRITTEN // 3))[:_WRITTEN]


class RoomTraffic:
    """What one room sends, event by event.

    :param remaining: how many events it will be asked for in all.
    :param duplicates: share of events that repeat an earlier one; ``reorder``: share that come after their successor.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a room differs by
        self, number: int, remaining: int, duplicates: float, reorder: float, chance: random.Random, texts: Texts
    ) -> None:
        self.room_id = f"room-{number:05d}"
        self.duplicated = 0
        self.by_type: dict[str, int] = {}
        self._remaining = remaining
        self._duplicates = duplicates
        self._reorder_chance = reorder / _CHAT  # executions are never reordered
        self._chance = chance
        self._some_text = texts.one
        self._name = f"{number:05d}"
        self._sequences: dict[str, int] = {}
        self._executions = 0
        self._running: Iterator[bytes] | None = None
        self._next: deque[bytes] = deque()
        self._recent: deque[bytes] = deque(maxlen=_RECENT)
        self._now_ms = 0

    def take(self, count: int, now_ms: int) -> list[bytes]:
        """The next ``count`` events as JSON, sent at ``now_ms`` (ms since epoch)."""
        self._now_ms = now_ms
        lines = []
        for _ in range(count):
            lines.append(self._one())
            self._recent.append(lines[-1])
        return lines

    def _one(self) -> bytes:
        self._remaining -= 1
        if self._next:
            return self._next.popleft()
        if self._recent and self._chance.random() < self._duplicates:
            self.duplicated += 1
            return self._recent[self._chance.randrange(len(self._recent))]
        make = self._kind()
        if self._remaining > 0 and make != self._execute and self._chance.random() < self._reorder_chance:
            first, second = self._pair(make)
            self._next.append(first)
            return second
        return make(self._chance.randrange(_USERS), self._chance.randrange(_DOCUMENTS))

    def _pair(self, make: Callable[[int, int], bytes]) -> tuple[bytes, bytes]:
        """Two successive events of one ordering key."""
        user, document = self._chance.randrange(_USERS), self._chance.randrange(_DOCUMENTS)
        return make(user, document), make(user, document)

    def _kind(self) -> Callable[[int, int], bytes]:
        closing = self._remaining < _LONGEST_LIFE
        if closing and self._running is not None:
            return self._execute
        draw = self._chance.random() * (_CHAT if closing else 1)
        if draw < _EDITS:
            return self._edit
        if draw < _CURSORS:
            return self._move
        return self._post if draw < _CHAT else self._execute

    def _edit(self, user: int, document: int) -> bytes:
        document_id = f"doc-{self._name}-{document}"
        key = f"document:{document_id}"
        chance = self._chance
        patch = (int(chance.random() * 100_000), int(chance.random() * 400), self._some_text())
        payload = e.DocumentEditedPayload(document_id, self._sequences.get(key, 0), [patch])
        return self._emit(e.DocumentEdited, payload, user, key)

    def _move(self, user: int, document: int) -> bytes:
        position = int(self._chance.random() * 100_000)
        payload = e.CursorMovedPayload(f"doc-{self._name}-{document}", position, (position, position + 9))
        return self._emit(e.CursorMoved, payload, user, f"session:{self._session(user)}")

    def _post(self, user: int, document: int) -> bytes:  # noqa: ARG002 -- as the others
        return self._emit(e.ChatPosted, e.ChatPostedPayload(self._some_text()), user, f"session:{self._session(user)}")

    def _execute(self, user: int, document: int) -> bytes:
        """The next event of the execution that runs, or of a new one."""
        line = next(self._running, None) if self._running is not None else None
        if line is None:
            self._executions += 1
            self._running = self._life(f"run-{self._name}-{self._executions}", user, document)
            line = next(self._running)
        return line

    def _life(self, execution_id: str, user: int, document: int) -> Iterator[bytes]:
        key = f"execution:{execution_id}"
        chance = self._chance
        queued = e.ExecutionQueuedPayload(execution_id, "python", f"doc-{self._name}-{document}", "codewave/python:3")
        yield self._emit(e.ExecutionQueued, queued, user, key)
        started = e.ExecutionStartedPayload(execution_id, f"worker-{chance.randrange(40):03d}")
        yield self._emit(e.ExecutionStarted, started, user, key)
        chunks: dict[Literal["stdout", "stderr"], int] = {"stdout": 0, "stderr": 0}
        for _ in range(chance.randint(1, _LONGEST_LIFE - 4)):
            stream: Literal["stdout", "stderr"] = "stdout" if chance.random() < 0.85 else "stderr"
            chunks[stream] += 1
            output = e.ExecutionOutputPayload(execution_id, stream, chunks[stream], self._some_text())
            yield self._emit(e.ExecutionOutput, output, user, key)
        finished = e.ExecutionFinishedPayload(execution_id, "succeeded", 700, 1_000, 64 << 20, exit_code=0)
        self._running = None
        yield self._emit(e.ExecutionFinished, finished, user, key)

    def _emit(self, kind: Any, payload: Any, user: int, key: str) -> bytes:
        sequence = self._sequences[key] = self._sequences.get(key, 0) + 1
        received_at = self._now_ms - 40
        event = kind(
            self._event_id(), 1, self.room_id, self._session(user), f"user-{self._name}-{user}", key, sequence,
            received_at - 20, received_at, payload,
        )  # fmt: skip
        name = kind.__struct_config__.tag
        self.by_type[name] = self.by_type.get(name, 0) + 1
        return _encode(event)

    def _session(self, user: int) -> str:
        return f"tab-{self._name}-{user}"

    def _event_id(self) -> str:
        bits = self._chance.getrandbits(74)
        tail = f"{bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000:016x}"
        time = f"{self._now_ms:012x}"
        return f"{time[:8]}-{time[8:]}-7{bits >> 62:03x}-{tail[:4]}-{tail[4:]}"
