"""What is told of an exception: its kind, its own words and the innermost frames, in bounded length."""

import traceback
from pathlib import PurePath
from typing import Final

MESSAGE_CHARACTERS: Final = 2_000
"""Of a whole text; the frames furthest from the failure are cut off."""
_OWN_WORDS: Final = 300
"""Of the exception's own text, which may quote the event."""
_CAUSES: Final = 3
_FILE_PARTS: Final = 2
"""Parts of a file's path that are shown: the folders above name only where the code was unpacked."""


def told(error: BaseException, *, own_words: bool = True) -> str:
    """Tell what happened: ``ValueError: bad text``, then ``  at udfs/route.py:57 in _posted``, innermost first.

    :param own_words: with the exception's own text; leave it out where content of events must not go, as in logs.
    """
    text = "\ncaused by ".join(_one(one, own_words) for one in _with_causes(error))
    return text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"


def _with_causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while len(chain) <= _CAUSES:
        last = chain[-1]
        before = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if before is None or before in chain:
            break
        chain.append(before)
    return chain


def _one(error: BaseException, own_words: bool) -> str:
    kind = type(error).__qualname__
    words = f": {_words(error)}" if own_words else ""
    frames = [
        f"  at {_file(frame.f_code.co_filename)}:{line} in {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return "\n".join([kind + words, *reversed(frames)])


def _words(error: BaseException) -> str:
    try:
        return str(error)[:_OWN_WORDS]
    except Exception as unspeakable:  # noqa: BLE001 -- whatever an exception's own __str__ raises
        return f"(its text cannot be made: {type(unspeakable).__qualname__})"


def _file(path: str) -> str:
    return "/".join(PurePath(path).parts[-_FILE_PARTS:])
