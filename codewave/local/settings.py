"""Settings of the local stack: ports, sizes and folders, read once at the edge.

They come from ``codewave.toml`` in the project's root where it exists, and from ``CODEWAVE_<NAME>`` in the
environment, which wins. Every port shifts by ``port_offset``, so that several clones run side by side.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from codewave.errors import WrongUseError

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
LOOPBACK: Final = "127.0.0.1"
SETTINGS_FILE: Final = "codewave.toml"
_PREFIX: Final = "CODEWAVE_"
_NOT_SETTINGS: Final = frozenset({"CODEWAVE_APPLICATION_PROPERTIES", "CODEWAVE_PROCESS", "CODEWAVE_SETUP_SECONDS"})
"""Variables that the project passes to its own processes."""


class LocalSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of the local stack; the defaults need no file."""

    port_offset: int = 0
    """Added to every port below."""
    kinesis_port: int = 4567
    catalog_port: int = 8181
    opensearch_port: int = 9200
    opensearch_transport_port: int = 9300
    flink_port: int = 8081
    """Flink's web page and REST interface."""
    flink_rpc_port: int = 6123
    flink_blob_port: int = 6124
    airflow_port: int = 8080
    """Airflow's web page and the interface of its tasks."""

    task_managers: int = 2
    """One-slot TaskManager processes."""
    parallelism: int = 2
    checkpoint_interval_ms: int = 5_000
    task_manager_memory_mb: int = 1728
    job_manager_memory_mb: int = 1024
    opensearch_heap_mb: int = 512
    shards: int = 2
    """Shards of the stream."""

    data_folder: str = ".local"
    """State, logs and data of the stack, relative to the project's root."""
    cache_folder: str = ".cache"
    """Downloads and builds, relative to the project's root."""

    @property
    def data(self) -> Path:
        """Absolute folder of state, logs and data."""
        return PROJECT_ROOT / self.data_folder

    @property
    def cache(self) -> Path:
        """Absolute folder of downloads and builds."""
        return PROJECT_ROOT / self.cache_folder

    def port(self, name: str) -> int:
        """Port of a part (``kinesis``, ``catalog``, ``opensearch``, ``flink``, …) with the offset applied."""
        return int(getattr(self, f"{name}_port")) + self.port_offset

    @property
    def kinesis_endpoint(self) -> str:
        """URL of the stream emulator."""
        return f"http://{LOOPBACK}:{self.port('kinesis')}"

    @property
    def catalog_uri(self) -> str:
        """URL of Iceberg's REST catalog."""
        return f"http://{LOOPBACK}:{self.port('catalog')}"

    @property
    def flink_url(self) -> str:
        """URL of Flink's REST interface and web page."""
        return f"http://{LOOPBACK}:{self.port('flink')}"

    @property
    def warehouse(self) -> Path:
        """Folder of the lake's files."""
        return self.data / "warehouse"


def load_settings(file: Path | None = None, environment: dict[str, str] | None = None) -> LocalSettings:
    """Read the settings.

    :param file: a TOML file; default ``codewave.toml`` in the project's root, which need not exist.
    :param environment: default ``os.environ``.
    :raises WrongUseError: for a key that does not exist or a value of the wrong type, with its name and place.
    """
    path = file or PROJECT_ROOT / SETTINGS_FILE
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise WrongUseError(f"{path.name}: {error}") from None
    values |= _from_environment(dict(os.environ) if environment is None else environment)
    try:
        return msgspec.convert(values, LocalSettings, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(LocalSettings.__struct_fields__)
        raise WrongUseError(f"setting: {error}; known settings ({path.name} or {_PREFIX}<NAME>): {known}") from None


def to_environment(settings: LocalSettings) -> dict[str, str]:
    """The settings as variables by which :func:`load_settings` gives the same ones to another process."""
    values = msgspec.to_builtins(settings) | {"data_folder": str(settings.data), "cache_folder": str(settings.cache)}
    return {_PREFIX + name.upper(): str(value) for name, value in values.items()}


def _from_environment(environment: dict[str, str]) -> dict[str, str]:
    names = {key for key in environment if key.startswith(_PREFIX)} - _NOT_SETTINGS
    return {key.removeprefix(_PREFIX).lower(): environment[key] for key in sorted(names)}
