"""Versions of event types: which Struct reads a version, and how an old event becomes one of the latest version.

A new version of a type adds its Struct to :data:`codewave.contract.events.EVENT_TYPES`; the old Struct moves here,
with a pure function from it to the next version, and is never removed: old events stay in the raw archive.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from codewave.contract.events import EVENT_TYPES, LATEST_VERSIONS, Event

TypeVersion = tuple[str, int]
"""Type name and version, such as ``("document.edited", 1)``."""


class Registry(Struct, frozen=True):
    """Every version that can be read."""

    structs: Mapping[TypeVersion, type[Event]]
    upcasters: Mapping[TypeVersion, Callable[[Any], Event]]
    """Old version → pure function to the next version's Struct; ``version`` stays what the writer wrote."""

    def decoder_for(self, kind: str, version: int) -> Callable[[bytes], Event] | None:
        """Return what reads an event's bytes into the latest Struct of its type, or ``None`` for an unknown version.

        The decoder raises what :mod:`msgspec` raises.
        """
        struct = self.structs.get((kind, version))
        if struct is None:
            return None
        decode = msgspec.json.Decoder(struct).decode
        steps = self._steps(kind, version)
        return _upcasting(decode, steps) if steps else decode

    def _steps(self, kind: str, version: int) -> list[Callable[[Any], Event]]:
        steps = []
        while step := self.upcasters.get((kind, version)):
            steps.append(step)
            version += 1
        return steps


def _upcasting(decode: Callable[[bytes], Event], steps: list[Callable[[Any], Event]]) -> Callable[[bytes], Event]:
    def read(line: bytes) -> Event:
        event = decode(line)
        for step in steps:
            event = step(event)
        return event

    return read


REGISTRY: Final = Registry(
    structs={(kind, LATEST_VERSIONS[kind]): struct for kind, struct in EVENT_TYPES.items()},
    upcasters={},
)
"""The versions of this release: one of each type, so nothing is upcast yet."""

decoder_for: Final = REGISTRY.decoder_for
