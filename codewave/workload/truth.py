"""The truth about a workload: what was really sent, counted while it is sent, to compare the stored result with.

``truth.json`` is an interface; fields may be added to it, none removed or renamed.
"""

import hashlib
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from codewave.contract.events import (
    AnyEvent,
    DocumentEdited,
    Event,
    ExecutionFinished,
    ExecutionOutput,
    ExecutionStarted,
)
from codewave.contract.text import checksum_of
from codewave.errors import CodewaveError
from codewave.workload.chaos import Injected
from codewave.workload.steps import Step

MAX_KEYS_WRITTEN: Final = 100_000
"""Bounds the file (about 60 bytes a key); documents' keys come first, then sessions' and executions'."""


class TraceTruth(Struct, forbid_unknown_fields=True):
    """A trace that was played."""

    file: str
    """As the user named it."""
    document_id: str
    operations: int
    """``document.edited`` events sent: a long paste is several."""
    sha256: str
    """Of the final text in UTF-8, hexadecimal."""
    room_id: str = ""


class DocumentTruth(Struct, forbid_unknown_fields=True):
    """A document that was edited, of a trace or of a generated room."""

    document_id: str
    room_id: str
    operations: int
    characters: int
    sha256: str
    checksum: int
    """CRC-32 of the final text in UTF-8."""


class Truth(Struct, kw_only=True, forbid_unknown_fields=True):
    """What was sent. ``truth.json`` holds exactly this."""

    events: int
    """Distinct real events sent. Those that chaos dropped are in ``injected.drop`` and nowhere else."""
    by_type: dict[str, int]
    """``events`` by event type."""
    ordering_keys: int
    """Distinct ordering keys of ``events``."""
    executions: int
    """Distinct executions with at least one event sent."""
    traces: list[TraceTruth]
    injected: Injected
    """Faults made. Malformed, oversized and corrupt ones come on top of ``events``; so do duplicates."""

    received: int
    """What the pipeline should count: ``events`` and everything that was sent on top; a corrupt record counts once."""
    quarantined: dict[str, int]
    """Refusals to expect, by reason."""
    finished: dict[str, int]
    """``execution.finished`` sent, by outcome."""
    cpu_ms: int
    wall_ms: int
    """Sums over ``execution.finished``."""
    unfinished: int = 0
    """Executions of which something was sent that shows they ran, but no ``execution.finished``: they must be taken
    for lost."""
    documents: list[DocumentTruth]
    documents_unverifiable: list[str]
    """Documents that lost an event to ``drop``: their text cannot be rebuilt."""
    keys: dict[str, tuple[int, int]]
    """Per ordering key how many events were sent and the last sequence; at most :data:`MAX_KEYS_WRITTEN`."""
    keys_left_out: int
    seed: int
    start_ms: int
    interrupted: bool
    """The player was stopped before the end; everything here is about what was sent until then."""


class _Document:
    """The latest text of a document, and how many edits made it."""

    __slots__ = ("operations", "room_id", "text")

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.operations = 0
        self.text = ""


class TruthCounter:
    """Counts what is sent. Memory grows with the number of ordering keys and documents only."""

    def __init__(self) -> None:
        self.events = 0
        self._by_type: Counter[type[Event]] = Counter()
        self._keys: dict[str, list[int]] = {}
        self._documents: dict[str, _Document] = {}
        self._unverifiable: set[str] = set()
        self._finished: Counter[str] = Counter()
        self._running: set[str] = set()
        self._cpu_ms = 0
        self._wall_ms = 0

    def sent(self, step: Step) -> None:
        """A real event was sent."""
        event = step.event
        self.events += 1
        self._by_type[type(event)] += 1
        key = self._keys.setdefault(event.ordering_key, [0, 0])
        key[0] += 1
        key[1] = event.sequence  # a source gives them in order
        if isinstance(event, DocumentEdited):
            self._edited(event, step.text)
        elif isinstance(event, ExecutionFinished):
            self._finished[event.payload.outcome] += 1
            self._cpu_ms += event.payload.cpu_ms
            self._wall_ms += event.payload.wall_ms
            self._running.discard(event.payload.execution_id)
        elif isinstance(event, ExecutionStarted | ExecutionOutput):
            self._running.add(event.payload.execution_id)

    def dropped(self, event: AnyEvent) -> None:
        """A real event was left out on purpose."""
        kind, _, name = event.ordering_key.partition(":")
        if kind == "document":
            self._unverifiable.add(name)

    def _edited(self, event: DocumentEdited, text: str | None) -> None:
        document = self._documents.get(event.payload.document_id)
        if document is None:
            document = self._documents[event.payload.document_id] = _Document(event.room_id)
        document.operations += 1
        document.text = text or ""

    def result(  # noqa: PLR0913 - what the player knows beside the counts
        self,
        traces: list[tuple[str, str, str]],
        injected: Injected,
        refused: dict[str, int],
        *,
        seed: int,
        start_ms: int,
        interrupted: bool,
    ) -> Truth:
        """The truth so far.

        :param traces: (file, document id, room id) of each trace.
        :param refused: refusals to expect, by reason.
        """
        keys = sorted(self._keys.items(), key=_documents_first)[:MAX_KEYS_WRITTEN]
        on_top = injected.duplicate + injected.malformed + injected.oversized + injected.corrupt
        return Truth(
            events=self.events,
            by_type={str(kind.__struct_config__.tag): count for kind, count in _by_tag(self._by_type)},
            ordering_keys=len(self._keys),
            executions=sum(key.startswith("execution:") for key in self._keys),
            traces=[self._trace(*trace) for trace in traces],
            injected=injected,
            received=self.events + on_top,
            quarantined={str(reason): count for reason, count in sorted(refused.items())},
            finished=dict(sorted(self._finished.items())),
            cpu_ms=self._cpu_ms,
            wall_ms=self._wall_ms,
            unfinished=len(self._running),
            documents=[self._document(name) for name in sorted(self._documents)],
            documents_unverifiable=sorted(self._unverifiable),
            keys={key: (count, last) for key, (count, last) in keys},
            keys_left_out=len(self._keys) - len(keys),
            seed=seed,
            start_ms=start_ms,
            interrupted=interrupted,
        )

    def _trace(self, file: str, document_id: str, room_id: str) -> TraceTruth:
        document = self._documents.get(document_id, _Document(room_id))
        return TraceTruth(file, document_id, document.operations, _sha256(document.text), room_id)

    def _document(self, document_id: str) -> DocumentTruth:
        document = self._documents[document_id]
        text = document.text
        checksum = checksum_of(text)
        return DocumentTruth(document_id, document.room_id, document.operations, len(text), _sha256(text), checksum)


def _by_tag(counts: Counter[type[Event]]) -> list[tuple[type[Event], int]]:
    return sorted(counts.items(), key=lambda item: str(item[0].__struct_config__.tag))


def _documents_first(item: tuple[str, list[int]]) -> tuple[bool, bool, str]:
    key = item[0]
    return not key.startswith("document:"), key.startswith("execution:"), key


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_truth(truth: Truth, file: Path) -> None:
    """Write ``truth.json``, whole or not at all.

    :raises CodewaveError: the file cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise CodewaveError(f"truth {file}: cannot be written ({error.strerror or error})") from None


def read_truth(file: Path) -> Truth:
    """Read what :func:`write_truth` wrote.

    :raises CodewaveError: the file is not there or not a truth.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Truth)
    except OSError as error:
        raise CodewaveError(f"truth {file}: cannot be read ({error.strerror or error})") from None
    except msgspec.DecodeError as error:
        raise CodewaveError(f"truth {file}: not what play --truth writes ({error})") from None
