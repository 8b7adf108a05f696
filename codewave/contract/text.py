"""What an edit does to a text: patches applied in Unicode characters, and the checksum of the result."""

import zlib
from collections.abc import Sequence

from codewave.contract.events import Patch


class PatchRangeError(ValueError):
    """A patch that reaches beyond the end of the text it is applied to."""

    def __init__(self, index: int, position: int, deleted: int, characters: int) -> None:
        super().__init__(
            f"patch {index}: position {position}, {deleted} deleted, reaches beyond the text's {characters} characters"
        )
        self.index = index


def apply_patches(text: str, patches: Sequence[Patch]) -> str:
    """Apply the patches of one edit, one after the other.

    :param text: the text before the edit.
    :param patches: ``[position, deleted, inserted]`` in Unicode characters, each in the text its predecessor left.
    :returns: the text after the edit.
    :raises PatchRangeError: for the first patch out of range.
    """
    for index, (position, deleted, inserted) in enumerate(patches):
        end = position + deleted
        if position < 0 or deleted < 0 or end > len(text):
            raise PatchRangeError(index, position, deleted, len(text))
        text = "".join((text[:position], inserted, text[end:]))  # one allocation of the result
    return text


def checksum_of(text: str) -> int:
    """CRC-32 (as in zlib and gzip) of the text in UTF-8, as ``document.edited`` carries it."""
    return zlib.crc32(text.encode())
