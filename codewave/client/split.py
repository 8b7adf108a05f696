"""Splitting long edits and outputs into several events below the size limit.

It happens where sequences are given, because every piece takes one. The same event always splits into the same
pieces with the same ids. All sizes are bytes of encoded JSON; positions count Unicode characters.
"""

from copy import copy
from typing import Final, TypeVar

import msgspec

from codewave.client.errors import EventTooLargeError
from codewave.client.identity import piece_event_id
from codewave.contract.events import DocumentEdited, Event, ExecutionOutput, Patch
from codewave.contract.fields import MAX_MILLIS
from codewave.contract.limits import Limits

_Splittable = TypeVar("_Splittable", DocumentEdited, ExecutionOutput)
_encode = msgspec.json.Encoder().encode
_EMPTY_TEXT_BYTES: Final = len('""')


def event_limit(limits: Limits, event_type: type[Event]) -> int:
    """Largest encoded event of a type, in bytes."""
    return limits.event_bytes_by_type.get(str(event_type.__struct_config__.tag), limits.event_bytes)


def split_edit(event: DocumentEdited, limit: int) -> list[DocumentEdited]:
    """Split an edit so that every piece encodes to at most ``limit`` bytes, whatever ``received_at`` it gets.

    The pieces applied one after another give the text of the whole. Piece n has ``sequence + n`` and is based on the
    piece before; a patch's deletion goes with the first part of its text, the checksum with the last piece.

    :returns: ``[event]`` itself if it fits, else new events; the first keeps the event's id.
    :raises EventTooLargeError: ``limit`` does not even hold one character of it.
    """
    if _size(event) <= limit:
        return [event]
    todo = list(reversed(event.payload.patches))
    pieces: list[DocumentEdited] = []
    while todo:
        piece = _edit_piece(event, len(pieces))
        piece.payload.patches = _take_patches(todo, limit - _size(piece))
        if not piece.payload.patches:
            raise _no_place(event, limit)
        pieces.append(piece)
    for piece in pieces[:-1]:
        piece.payload.checksum = None
    return pieces


def _edit_piece(event: DocumentEdited, number: int) -> DocumentEdited:
    """Piece ``number`` without patches; with the checksum, so that its place is kept until the last is known."""
    piece = _piece(event, number)
    piece.payload.patches = []
    if number:
        before = piece.sequence - 1
        piece.payload.base_sequence = before
        writer = event.ordering_key.partition("/")[2]
        if event.payload.parents is not None and writer:
            piece.payload.parents = [(writer, before)]
    return piece


def _take_patches(todo: list[Patch], space: int) -> list[Patch]:
    """Move patches from the end of ``todo`` that fit into ``space``; cut the first one if it does not fit whole."""
    taken: list[Patch] = []
    while todo and (size := _patch_size(todo[-1], space)) <= space:
        taken.append(todo.pop())
        space -= size + 1  # and its comma
    if todo and not taken:
        position, deleted, text = todo[-1]
        end = _cut(text, 0, space - len(_encode((position, deleted, ""))) + _EMPTY_TEXT_BYTES)
        if end:
            taken.append((position, deleted, text[:end]))
            todo[-1] = (position + end, 0, text[end:])
    return taken


def _patch_size(patch: Patch, space: int) -> int:
    # A character takes a byte at least: a text longer than the space need not be encoded to see that.
    return len(patch[2]) if len(patch[2]) > space else len(_encode(patch))


def split_output(event: ExecutionOutput, limit: int) -> list[ExecutionOutput]:
    """Split an output chunk so that every piece encodes to at most ``limit`` bytes, whatever ``received_at`` it gets.

    The pieces' texts in order are the whole's. Piece n has ``sequence + n`` and ``chunk + n``.

    :returns: ``[event]`` itself if it fits, else new events; the first keeps the event's id.
    :raises EventTooLargeError: ``limit`` does not even hold one character of it.
    """
    if _size(event) <= limit:
        return [event]
    pieces: list[ExecutionOutput] = []
    text, start = event.payload.text, 0
    while start < len(text) or not pieces:
        piece = _piece(event, len(pieces))
        piece.payload.chunk += len(pieces)
        piece.payload.text = ""
        end = _cut(text, start, limit - _size(piece) + _EMPTY_TEXT_BYTES)
        if end == start:
            raise _no_place(event, limit)
        piece.payload.text = text[start:end]
        start = end
        pieces.append(piece)
    return pieces


def _piece(event: _Splittable, number: int) -> _Splittable:
    piece = copy(event)
    piece.payload = copy(event.payload)
    piece.event_id = piece_event_id(event.event_id, number)
    piece.sequence += number
    return piece


def _size(event: Event) -> int:
    """Its encoded size with the longest ``received_at``, as that is set only when it is sent."""
    measured = copy(event)
    measured.received_at = MAX_MILLIS
    return len(_encode(measured))


def _cut(text: str, start: int, budget: int) -> int:
    """Where the longest part of ``text`` from ``start`` ends that encodes to ``budget`` bytes with its quotes."""
    low, high = start, min(len(text), start + max(0, budget - _EMPTY_TEXT_BYTES))
    while low < high:
        middle = (low + high + 1) // 2
        if len(_encode(text[start:middle])) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _no_place(event: Event, limit: int) -> EventTooLargeError:
    return EventTooLargeError(f"client: event {event.event_id} cannot be split into pieces of {limit} bytes")
