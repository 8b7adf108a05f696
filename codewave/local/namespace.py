"""Namespaces: one set of stream, tables, indices and job, beside others on the same stack.

``rooms`` is the live one; tests and backfills use their own.
"""

from typing import Final

from msgspec import Struct

from codewave.errors import WrongUseError

LIVE: Final = "rooms"


class Namespace(Struct, frozen=True):
    """Names that everything of one namespace carries."""

    name: str = LIVE

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.replace("_", "a").isalnum() and self.name.islower()):
            raise WrongUseError(f"namespace {self.name!r}: use lower-case letters, digits and _")

    @property
    def stream(self) -> str:
        """Name of the Kinesis stream."""
        return f"codewave-{self.name}"

    @property
    def index_prefix(self) -> str:
        """What the names of search indices start with: nothing for the live namespace."""
        return "" if self.name == LIVE else f"{self.name}-"

    def table(self, table: str) -> str:
        """Full name of an Iceberg table."""
        return f"{self.name}.{table}"

    def job(self, suffix: str = "") -> str:
        """Name of the Flink job; ``suffix`` tells jobs apart that write different sinks."""
        return f"room_events-{self.name}{suffix}"
