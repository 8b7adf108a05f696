"""Record framing: how a batch of one room's events becomes a Kinesis record, and back.

A record is a JSON header on the first line, not compressed, then the body: newline-delimited events, compressed as
the header says. A bare JSON event or JSON array without a header is accepted too. What tells them apart: a header has
a ``v`` and no ``type``, whatever the order of its keys; an event has a ``type``.
"""

import threading
from typing import Annotated, Final, Literal

import msgspec
import zstandard
from msgspec import Meta, Struct

from codewave.contract.fields import Count, Id, Label, Millis
from codewave.contract.limits import DEFAULT_LIMITS, Limits
from codewave.contract.reasons import Reason

FRAME_VERSION: Final = 1
ZSTD_LEVEL: Final = 3
_MAX_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Window a decompressor may be made to allocate; the zstd format recommends decoders support at least 8 MiB."""
_CHUNK_BYTES: Final = 128 * 1024
"""Decompressed bytes held at once while a body that declares no size is counted; also zstd's largest block."""
_HEADER_START: Final = b'{"v":'
"""How our own writers start a header; others may order its keys as they like."""
_JSON_SPACE: Final = b" \t\r\n"


class Header(Struct, gc=False):
    """First line of a record.

    ``batch`` is contiguous per ``collector`` from 1, so that a lost record is seen; ``sent_at`` is in ms since epoch.
    """

    v: Annotated[int, Meta(ge=1, le=FRAME_VERSION)]
    room_id: Id
    count: Count
    encoding: Literal["zstd", "identity"]
    collector: Label
    batch: Count
    sent_at: Millis


class FrameError(ValueError):
    """A record that cannot be unframed: quarantine it whole, under ``reason``."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _FirstLine(Struct, gc=False):
    """The keys that tell a header from an event, as they came; empty where the key is absent."""

    v: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on bytes that are not JSON of the wanted form; RecursionError when nested too deeply."""
_decode_header = msgspec.json.Decoder(Header).decode
_encode_json = msgspec.json.Encoder().encode
_decode_first_line = msgspec.json.Decoder(_FirstLine).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def frame(header: Header, lines: list[bytes], *, level: int = ZSTD_LEVEL) -> bytes:
    """Frame encoded events as one record.

    :param header: its ``encoding`` says how the body is written; ``count`` must be ``len(lines)``.
    :param lines: one encoded JSON event each, without line breaks.
    :returns: the record's bytes.
    :raises ValueError: when the header counts other than ``len(lines)``; the stream would refuse the record whole.
    """
    if header.count != len(lines):
        raise ValueError(f"frame: header counts {header.count} events, given are {len(lines)}")
    body = b"\n".join(lines)
    if header.encoding == "zstd":
        body = zstandard.ZstdCompressor(level=level, write_content_size=True).compress(body)
    return _encode_json(header) + b"\n" + body


def unframe(record: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Header | None, list[bytes]]:
    """Split a record into its header and the events' bytes.

    Memory stays below twice ``limits.decompressed_bytes`` (the body, then the events cut from it) plus the record.

    :returns: the header (``None`` for a bare event or array) and one ``bytes`` per event, undecoded.
    :raises FrameError: ``too_large``, ``bad_frame``, ``decompression_failed`` or ``decompression_bomb``.
    """
    header, body = open_record(record, limits)
    if header is None:
        return None, _bare_events(body, limits)
    lines = body.split(b"\n", limits.record_events)  # no more pieces, however many line breaks the body holds
    _check_events(len(lines), limits)
    lines = [line for line in lines if line]
    if len(lines) != header.count:
        raise FrameError(Reason.BAD_FRAME, f"header counts {header.count} events, the body has {len(lines)}")
    return header, lines


def open_record(record: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Header | None, bytes]:
    """Take a record apart, but for its events.

    :returns: the header, and the body as it was before it was compressed; of a bare event or array ``None`` and itself.
    :raises FrameError: as :func:`unframe`.
    """
    if len(record) > limits.record_bytes:
        raise FrameError(Reason.TOO_LARGE, f"record of {len(record)} bytes; the limit is {limits.record_bytes}")
    if not record.startswith(_HEADER_START):
        record = record.lstrip(_JSON_SPACE)
        if not _has_header(record, limits):
            return None, record
    header, body = _split_header(record, limits)
    if header.encoding == "zstd":
        body = decompress(body, limits.decompressed_bytes)
    return header, body


def _has_header(record: bytes, limits: Limits) -> bool:
    """Whether the first line is a header; refuses a line of another kind that has more lines after it.

    A first line that is no JSON object by itself (a pretty-printed event, an array, noise) is no header.
    """
    end = record.find(b"\n", 0, limits.header_bytes)
    line = record[: end if end >= 0 else limits.header_bytes]
    try:
        keys = _decode_first_line(line)
    except _UNREADABLE:
        return False
    if bytes(keys.v) and not bytes(keys.type):
        return True
    if end >= 0 and record[end:].strip(_JSON_SPACE):
        raise FrameError(Reason.BAD_FRAME, "several lines, and the first is no header")
    return False


def _split_header(record: bytes, limits: Limits) -> tuple[Header, bytes]:
    end = record.find(b"\n", 0, limits.header_bytes)
    if end < 0:
        raise FrameError(Reason.BAD_FRAME, f"no end of the header within {limits.header_bytes} bytes")
    try:
        return _decode_header(record[:end]), record[end + 1 :]
    except _UNREADABLE as error:
        raise FrameError(Reason.BAD_FRAME, f"header: {error}") from None


def _bare_events(record: bytes, limits: Limits) -> list[bytes]:
    if not record.startswith(b"["):
        return [record]
    try:
        events = _decode_array(record)
    except _UNREADABLE:
        return [record]  # refused as one event, with the JSON decoder's reason
    _check_events(len(events), limits)
    return [bytes(event) for event in events]


def _check_events(count: int, limits: Limits) -> None:
    if count > limits.record_events:
        raise FrameError(Reason.TOO_LARGE, f"record of {count} events; the limit is {limits.record_events}")


def decompress(body: bytes, limit: int) -> bytes:
    """Decompress one zstd frame into at most ``limit`` bytes.

    Memory stays below ``limit`` plus the window (8 MiB): a frame that declares more is refused unread, one that
    declares less than it holds stops at what it declared, and one that declares nothing is counted chunk by chunk
    before anything is kept.

    :raises FrameError: ``decompression_bomb`` above the limit, ``decompression_failed`` for a broken frame, and for
        anything that follows the frame.
    """
    try:
        return _decompress(body, limit)
    except (zstandard.ZstdError, MemoryError) as error:
        raise FrameError(Reason.DECOMPRESSION_FAILED, f"zstd: {error}") from None


class _Decompressors(threading.local):
    """One for each thread: making one costs as much as decompressing twenty events, and none may be shared."""

    def __init__(self) -> None:
        self.own = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)


_decompressors: Final = _Decompressors()


def _decompress(body: bytes, limit: int) -> bytes:
    decompressor = _decompressors.own
    size = zstandard.frame_content_size(body)
    if size > limit:
        raise FrameError(Reason.DECOMPRESSION_BOMB, f"body declares {size} bytes; the limit is {limit}")
    if size > 0:
        return decompressor.decompress(body, allow_extra_data=False)
    counted = _count_stream(decompressor, body, limit)
    if size == 0 and counted:
        raise FrameError(Reason.DECOMPRESSION_FAILED, f"body declares no bytes and holds {counted}")
    single = decompressor.decompressobj()
    data = single.decompress(body)
    if not single.eof or single.unused_data:
        detail = "bytes follow the zstd frame" if single.eof else "the zstd frame is cut short"
        raise FrameError(Reason.DECOMPRESSION_FAILED, detail)
    return data


def _count_stream(decompressor: zstandard.ZstdDecompressor, body: bytes, limit: int) -> int:
    total = 0
    with decompressor.stream_reader(body) as reader:
        while chunk := reader.read(_CHUNK_BYTES):
            total += len(chunk)
            if total > limit:
                raise FrameError(Reason.DECOMPRESSION_BOMB, f"body exceeds {limit} bytes decompressed")
    return total
