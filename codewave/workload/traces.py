"""Editing traces: a recorded writing history, read with bounds and turned into ``document.edited`` events."""

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from codewave.client.identity import RANDOM_BITS, uuid7
from codewave.client.split import split_edit
from codewave.contract.events import DocumentEdited, DocumentEditedPayload, Patch
from codewave.contract.limits import MIB
from codewave.contract.text import PatchRangeError, apply_patches, checksum_of
from codewave.errors import WrongUseError
from codewave.workload.ids import random_for, slug, token_for
from codewave.workload.options import WorkloadOptions
from codewave.workload.steps import Step

MAX_FILE_BYTES: Final = 64 * MIB
MAX_DECOMPRESSED_BYTES: Final = 512 * MIB
OPERATIONS_PER_CHECKSUM: Final = 100
LONGEST_PAUSE_MS: Final = 5_000
"""A trace may span months: a pause between two transactions counts as this much at most."""
_ENVELOPE_BYTES: Final = 1024
_PATCH_BYTES: Final = 48
_ESCAPED_BYTES: Final = 6
"""One character in JSON at its longest (``\\u0000``)."""


class Transaction(Struct, gc=False):
    """One transaction of a flat trace."""

    patches: list[Patch]
    time: str | None = None


class _File(Struct):
    txns: list[Transaction]
    endContent: str  # noqa: N815 - the format's own name
    startContent: str = ""  # noqa: N815


class _Kind(Struct):
    kind: str = "flat"


class Trace(Struct, frozen=True):
    """A flat trace that was checked: its transactions lead from ``start`` to ``end``."""

    file: str
    """As the user named it."""
    start: str
    end: str
    transactions: list[Transaction]
    at_ms: list[int]
    """Per transaction: ms of writing since the first one, pauses cut."""


def read_trace(path: Path) -> Trace:
    """Read and check a trace before anything of it is sent.

    :param path: a gzip-compressed flat trace, ``{startContent, endContent, txns: [{time, patches}]}``.
    :raises WrongUseError: one line naming the file, the transaction and what is wrong with it: too large, not gzip,
        not JSON, not a flat trace, a patch out of range, a text that is not ``endContent``.
    """
    data = _decompress(path)
    content = _parse(path, data)
    _check_text(path, content)
    return Trace(str(path), content.startContent, content.endContent, content.txns, _times(path, content.txns))


def _wrong(path: Path, what: str) -> WrongUseError:
    return WrongUseError(f"trace {path}: {what}")


def _decompress(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _wrong(path, f"larger than {MAX_FILE_BYTES // MIB} MiB")
        with gzip.open(path) as file:
            data = file.read(MAX_DECOMPRESSED_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _wrong(path, f"not a whole gzip file ({error})") from None
    except OSError as error:
        raise _wrong(path, f"cannot be read ({error.strerror or error})") from None
    if len(data) > MAX_DECOMPRESSED_BYTES:
        raise _wrong(path, f"larger than {MAX_DECOMPRESSED_BYTES // MIB} MiB decompressed")
    return data


def _parse(path: Path, data: bytes) -> _File:
    try:
        kind = msgspec.json.decode(data, type=_Kind).kind
        if kind != "flat":
            raise _wrong(path, f"a {kind} trace; only flat traces can be played")
        return msgspec.json.decode(data, type=_File)
    except msgspec.ValidationError as error:
        raise _wrong(path, f"not a flat trace: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, f"not JSON ({error})") from None


def _check_text(path: Path, content: _File) -> None:
    text = content.startContent
    for index, transaction in enumerate(content.txns):
        try:
            text = apply_patches(text, transaction.patches)
        except PatchRangeError as error:
            raise _wrong(path, f"transaction {index}: {error}") from None
    if text != content.endContent:
        raise _wrong(path, "its transactions do not lead to its endContent")


def _times(path: Path, transactions: list[Transaction]) -> list[int]:
    """Ms of writing since the first transaction: never backwards, pauses cut to :data:`LONGEST_PAUSE_MS`."""
    times: list[int] = []
    elapsed, before = 0, None
    for index, transaction in enumerate(transactions):
        now = _time_ms(path, index, transaction.time)
        if now is not None and before is not None:
            elapsed += min(max(now - before, 0), LONGEST_PAUSE_MS)
        before = before if now is None else now
        times.append(elapsed)
    return times


def _time_ms(path: Path, index: int, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(path, f"transaction {index}: time {text[:40]!r} is not ISO 8601") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class TraceSource:
    """One trace as steps of a workload: a room, a document and a user of its own."""

    def __init__(self, trace: Trace, source: int, copy: int, options: WorkloadOptions) -> None:
        """:param copy: 0, or how many traces of the same file name come before this one."""
        name = _name(trace)
        self.trace = trace
        self.document_id = f"{slug(name, 40)}-{token_for(options.seed, options.salt, 'trace', name, copy)}"
        self.room_id = f"trace-{self.document_id}"
        self.operations_expected = len(trace.transactions)
        self._source = source
        self._options = options
        self._random = random_for(options.seed, options.salt, "trace", name, copy)
        self._sequence = 0
        self._since_checksum = 0

    def steps(self) -> Iterator[Step]:
        """The trace's edits in order, numbered from 1, each within the event limit; made as they are asked for."""
        text = ""
        for at_ms, patches, last in self._edits():
            text_after = apply_patches(text, patches)
            pieces = self._split(self._event(at_ms, patches, text_after, last=last))
            for piece in pieces[:-1]:
                text = apply_patches(text, piece.payload.patches)
                yield Step(at_ms, self._source, piece, text)
            text = text_after
            yield Step(at_ms, self._source, pieces[-1], text)

    def _edits(self) -> Iterator[tuple[int, list[Patch], bool]]:
        """(virtual ms, patches, whether it is the last) per edit; the text the trace starts with is an edit, too."""
        trace = self.trace
        edits = [index for index, transaction in enumerate(trace.transactions) if transaction.patches]
        if trace.start:
            yield 0, [(0, 0, trace.start)], not edits
        span = max(trace.at_ms[-1], 1) if trace.at_ms else 1
        for index in edits:
            at_ms = trace.at_ms[index] * self._options.seconds * 1000 // span
            yield at_ms, trace.transactions[index].patches, index == edits[-1]

    def _event(self, at_ms: int, patches: list[Patch], text_after: str, *, last: bool) -> DocumentEdited:
        self._since_checksum += 1
        due = last or self._since_checksum >= OPERATIONS_PER_CHECKSUM
        if due:
            self._since_checksum = 0
        time_ms = self._options.start_ms + at_ms
        return DocumentEdited(
            event_id=uuid7(time_ms, self._random.getrandbits(RANDOM_BITS)),
            version=1,
            room_id=self.room_id,
            session_id=f"s-{self.document_id}",
            user_id=f"author-{self.document_id}",
            ordering_key=f"document:{self.document_id}",
            sequence=self._sequence + 1,
            occurred_at=time_ms,
            received_at=time_ms,
            payload=DocumentEditedPayload(
                document_id=self.document_id,
                base_sequence=self._sequence,
                patches=patches,
                checksum=checksum_of(text_after) if due else None,
            ),
        )

    def _split(self, event: DocumentEdited) -> list[DocumentEdited]:
        pieces = [event]
        if _longest_encoding(event) > self._options.event_bytes:
            pieces = split_edit(event, self._options.event_bytes)
        self._sequence += len(pieces)
        return pieces


def _longest_encoding(event: DocumentEdited) -> int:
    """Bytes that the event has at most when encoded: cheaper than encoding every edit to find the few long ones."""
    patches = event.payload.patches
    inserted = sum(len(patch[2]) for patch in patches)
    return _ENVELOPE_BYTES + _PATCH_BYTES * len(patches) + _ESCAPED_BYTES * inserted


def _name(trace: Trace) -> str:
    return Path(trace.file).name.split(".", maxsplit=1)[0]


def trace_sources(traces: list[Trace], options: WorkloadOptions) -> list[TraceSource]:
    """One source per trace, numbered from 0; the same file twice becomes two documents."""
    seen: dict[str, int] = {}
    sources = []
    for number, trace in enumerate(traces):
        name = _name(trace)
        copy = seen.get(name, 0)
        seen[name] = copy + 1
        sources.append(TraceSource(trace, number, copy, options))
    return sources
