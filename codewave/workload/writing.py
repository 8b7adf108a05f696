"""Writing: a generated document that people write in, with edits of realistic sizes and a bounded text."""

import random
from typing import Final

from codewave.contract.events import Patch
from codewave.contract.text import apply_patches

MAX_CHARACTERS: Final = 6_000
"""Above this, the next edit cuts a part out: a document's text stays bounded however long the run is."""

_WORDS: Final = (
    "def ", "return ", "self.", "import ", "lambda x: ", "yield ", "await ", "for item in ", "while ", "(", ")",
    ":", " = ", "result", "value", "room", "buffer", "stream", "index", "if ", "else:", "None", "True",
    "print(", "[0]", " + ", "== ", "# naïve ", "# κόσμε ", "# 日本語 ", "'🙂'", "x", "y", "i", ", ", ".append(",
    "{}", '"name"', "\n", "\n    ", "\n        ",
)  # fmt: skip
_SAMPLE_WORDS: Final = 3_000
_TYPED, _ERASED, _RENAMED = 0.80, 0.95, 0.98


def _sample() -> str:
    source = random.Random(0)  # noqa: S311 - fixed filler text
    return "".join(source.choice(_WORDS) for _ in range(_SAMPLE_WORDS))


SAMPLE: Final = _sample()
"""What pastes, chat messages and program output are cut from."""


def excerpt(source: random.Random, characters: int) -> str:
    """A part of :data:`SAMPLE` of that many characters."""
    start = int(source.random() * (len(SAMPLE) - characters))
    return SAMPLE[start : start + characters]


class Draft:
    """A document's text, and its ordering key's counter."""

    def __init__(self, document_id: str) -> None:
        self.document_id = document_id
        self.ordering_key = f"document:{document_id}"
        self.sequence = 0
        self.operations = 0
        self.text = ""

    def edit(self, source: random.Random, cursor: int) -> tuple[list[Patch], int]:
        """Make and apply the next edit.

        :param cursor: where the writer is; moved into the text if others have cut it.
        :returns: the patches and where the cursor is after them.
        """
        cursor = min(cursor, len(self.text))
        patches, cursor = self._patches(source, cursor)
        self.text = apply_patches(self.text, patches)
        self.operations += 1
        return patches, cursor

    def _patches(self, source: random.Random, cursor: int) -> tuple[list[Patch], int]:
        characters = len(self.text)
        if characters > MAX_CHARACTERS:
            return _cut(source, characters)
        way = source.random()
        if way < _TYPED or not characters:
            word = _WORDS[int(source.random() * len(_WORDS))]
            return [(cursor, 0, word)], cursor + len(word)
        if way < _ERASED:
            erased = min(cursor, 1 + int(source.random() * 8))
            return [(cursor - erased, erased, "")] if erased else [(0, 1, "")], cursor - erased
        if way < _RENAMED and characters > 2:
            return _rename(source, characters)
        pasted = excerpt(source, 40 + int(source.random() ** 3 * 1200))
        return [(cursor, 0, pasted)], cursor + len(pasted)


def _cut(source: random.Random, characters: int) -> tuple[list[Patch], int]:
    removed = characters // 3
    start = int(source.random() * (characters - removed))
    return [(start, removed, "")], start


def _rename(source: random.Random, characters: int) -> tuple[list[Patch], int]:
    """Two places change in one edit; the second patch counts in the text that the first one left."""
    first = int(source.random() * (characters // 2))
    second = characters // 2 + int(source.random() * (characters // 2 - 1))
    return [(first, 1, "renamed"), (second + len("renamed") - 1, 1, "renamed")], first
