"""Ports for what the benchmarks start, so that they never meet a running stack or another benchmark."""

from typing import Final

import msgspec

from bench.contender import ContenderError
from codewave.errors import CodewaveError
from codewave.local import processes
from codewave.local.settings import LocalSettings

_OFFSETS: Final = range(21_000, 23_000, 50)
"""Beyond those of the stack and of the tests, below the ports that the system gives to clients."""


def with_free_ports(settings: LocalSettings, parts: tuple[str, ...]) -> LocalSettings:
    """The same settings with an offset at which nobody listens.

    :param parts: that will listen.
    :raises ContenderError: if there is none.
    """
    for offset in _OFFSETS:
        moved = msgspec.structs.replace(settings, port_offset=offset)
        try:
            processes.check_ports(moved, parts)
        except CodewaveError:
            continue
        return moved
    raise ContenderError(f"ports: none are free for {', '.join(parts)}")
