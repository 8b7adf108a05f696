"""What a fault is, and what it acts on."""

from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from types import TracebackType
from typing import Self

from msgspec import Struct

from codewave.faults.proxy import FaultProxy
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.truth import Truth


class Proxies:
    """Fault proxies in front of the stream, the catalog and OpenSearch; a job started with ``overrides`` uses them."""

    def __init__(self, settings: LocalSettings) -> None:
        from codewave.local.opensearch import search_url

        self.stream = FaultProxy(settings.kinesis_endpoint)
        self.catalog = FaultProxy(settings.catalog_uri)
        self.search = FaultProxy(search_url(settings))
        self._open = ExitStack()

    @property
    def overrides(self) -> dict[str, str]:
        """Properties of a job that reaches everything through the proxies."""
        return {
            "stream_endpoint": self.stream.url,
            "catalog_uri": self.catalog.url,
            "search_url": self.search.url,
        }

    def __enter__(self) -> Self:
        for proxy in (self.stream, self.catalog, self.search):
            self._open.enter_context(proxy)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


class Scene(Struct, frozen=True, kw_only=True):
    """What a fault acts on: a running stack, a namespace whose job runs under load, and the proxies that it uses."""

    settings: LocalSettings
    namespace: Namespace
    proxies: Proxies
    random: Random
    """All choices are drawn from it, so that a seed makes the same schedule."""
    sent: list[Truth] = []
    """What faults have sent themselves, beside the load."""


class Fault(Struct, frozen=True, kw_only=True):
    """A kind of fault."""

    name: str
    """As it is shown and chosen: ``kill-task-manager``."""
    summary: str
    """What it does, in a line."""
    strike: Callable[[Scene, float], str]
    """Makes the fault, keeps it up for about so many seconds where it has a length, heals it, and says what it did.

    The parts must be back when it returns; the job may still be recovering.
    """
    longest_s: float = 0.0
    """Longest useful length; 0 for a fault of a moment."""
    takes_s: float = 5.0
    """About how long it takes beside its length, healing included; a schedule leaves it so much time."""
    unavailable: Callable[[], str | None] = lambda: None
    """Why the fault can't be made on this machine; None where it can."""
