"""The SQL of this folder: ``:name`` in a file stands for a part of a statement, or is a parameter of the engine's."""

from pathlib import Path
from string import Template
from typing import Final

_FOLDER: Final = Path(__file__).parent / "sql"


class _Statement(Template):
    delimiter = ":"


def statement(file: str, **parts: str) -> str:
    """A file's statement with these parts filled in; names that none is given for are left to the engine."""
    return _Statement((_FOLDER / file).read_text(encoding="utf-8")).safe_substitute(parts)
