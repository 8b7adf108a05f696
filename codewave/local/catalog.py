"""Iceberg's REST catalog on this machine: the server process, and the client for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewave.errors import CodewaveError
from codewave.local import processes
from codewave.local.processes import ProcessSpec
from codewave.local.settings import LocalSettings

if TYPE_CHECKING:
    from pyiceberg.catalog.rest import RestCatalog

NAME: Final = "catalog"
HEAP_MB: Final = 192

_MAIN_CLASS: Final = "dev.codewave.catalog.CatalogServer"
_START_DEADLINE_S: Final = 60.0
_ANSWER_TIMEOUT_S: Final = 2.0


def start_catalog(settings: LocalSettings) -> None:
    """Start the catalog server and wait until it answers; nothing to do if it already does.

    :raises CodewaveError: if it is not installed, its port is in use, or it does not come up.
    """
    if processes.running_pid(settings, NAME):
        if catalog_answers(settings):
            return
        stop_catalog(settings)
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    (settings.data / NAME).mkdir(parents=True, exist_ok=True)
    processes.start(settings, _spec(settings))
    processes.wait_until(settings, NAME, lambda: catalog_answers(settings), _START_DEADLINE_S)


def stop_catalog(settings: LocalSettings) -> bool:
    """Stop the catalog server; returns whether it ran. What it keeps stays."""
    return processes.stop(settings, NAME)


def catalog_answers(settings: LocalSettings) -> bool:
    """Whether the server answers a call."""
    import requests

    try:
        return requests.get(f"{settings.catalog_uri}/v1/config", timeout=_ANSWER_TIMEOUT_S).ok
    except requests.RequestException:
        return False


def load_catalog(settings: LocalSettings) -> "RestCatalog":
    """A pyiceberg client of the catalog.

    :raises CodewaveError: if the server does not answer.
    """
    from pyiceberg.catalog.rest import RestCatalog

    if not catalog_answers(settings):
        raise CodewaveError(f"catalog: no answer at {settings.catalog_uri}; start the stack with `uv run codewave up`")
    return RestCatalog("codewave", uri=settings.catalog_uri)


def database_file(settings: LocalSettings) -> Path:
    """The SQLite file that holds what the catalog knows."""
    return settings.data / NAME / "catalog.db"


def _spec(settings: LocalSettings) -> ProcessSpec:
    from codewave.local.toolchain import catalog_classpath, find_java

    arguments = {
        "--port": str(settings.port("catalog")),
        "--warehouse": str(settings.warehouse),
        "--database": str(database_file(settings)),
    }
    options = [f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    words = [word for pair in arguments.items() for word in pair]
    return ProcessSpec(
        name=NAME,
        command=[str(find_java(settings)), *options, "-cp", catalog_classpath(settings), _MAIN_CLASS, *words],
        folder=settings.data,
        ports=("catalog",),
    )
