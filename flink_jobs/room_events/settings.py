"""Settings of the job, from Managed Flink's application properties or a local file of the same form."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from codewave.contract.limits import Limits
from udfs.isolate import IsolationRules
from udfs.rules import Rules

PROPERTY_GROUP: Final = "room_events"
MANAGED_FLINK_FILE: Final = Path("/etc/flink/application_properties.json")
"""Where Managed Flink puts the properties of an application."""
FILE_VARIABLE: Final = "CODEWAVE_APPLICATION_PROPERTIES"
"""Environment variable that names another file."""
SINKS: Final = ("raw", "lake", "search")


Count = Annotated[int, Meta(ge=0)]


class SettingsError(Exception):
    """A property is missing, unknown or wrong: says which and where."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of the job. On AWS the defaults of the ``*_credentials`` and ``*_endpoint`` fields are right."""

    namespace: str = "rooms"
    """Iceberg namespace (database) of the tables."""
    sinks: str = "raw,lake,search"
    """Any of ``raw``, ``lake``, ``search``, separated by commas."""

    stream_name: str
    stream_region: str = "us-east-1"
    stream_endpoint: str = ""
    """Only for an emulator: its URL."""
    stream_start: str = "earliest"
    """``earliest``, ``latest`` or ms since epoch; used only where no savepoint or checkpoint is restored."""
    stream_credentials: str = "auto"
    """``auto`` (the role of the application) or ``basic`` (an emulator's fixed pair)."""

    catalog_type: str = "rest"
    """``rest`` or ``glue``."""
    catalog_uri: str = ""
    warehouse: str

    search_url: str = ""
    search_user: str = ""
    search_password: str = ""
    search_allow_insecure: bool = False
    """Accept a self-signed certificate; for a node on loopback."""
    index_prefix: str = ""
    search_flush_ms: int = 500
    search_flush_actions: int = 2_000

    parallelism: int = 0
    """0: what the cluster or the command line says."""
    checkpoint_interval_ms: int = 0
    """0: what the cluster says, as on Managed Flink."""
    checkpoint_folder: str = ""
    release: str = "0.1.0"

    state_ttl_days: int = 35
    """Longer than any stream retention in use."""
    gap_timeout_ms: int = Rules().gap_timeout_ms
    execution_silence_ms: int = Rules().execution_silence_ms
    """Not below ``gap_timeout_ms``."""
    clock_skew_ms: int = Rules().clock_skew_ms
    delivery_ms: int = Rules().delivery_ms
    shard_idle_ms: int = Rules().shard_idle_ms
    event_bytes: int = Limits().event_bytes
    event_bytes_by_type: dict[str, int] = {}
    """As JSON: ``{"document.edited": 8192}``."""

    isolate_after_failures: Count = IsolationRules().after_failures
    """Failures of our own code on one record before what breaks it is quarantined; 0: never, the job restarts."""
    isolate_at_most: Count = IsolationRules().at_most
    """What may be quarantined so within the window, per subtask; beyond it the job restarts."""
    isolate_window_ms: Count = IsolationRules().window_ms

    def isolation(self) -> IsolationRules:
        """Return what isolating poison may hide."""
        return IsolationRules(
            after_failures=self.isolate_after_failures,
            at_most=self.isolate_at_most,
            window_ms=self.isolate_window_ms,
        )

    def rules(self) -> Rules:
        """Return the rules of the stream's functions."""
        return Rules(
            limits=Limits(event_bytes=self.event_bytes, event_bytes_by_type=self.event_bytes_by_type),
            gap_timeout_ms=self.gap_timeout_ms,
            execution_silence_ms=self.execution_silence_ms,
            clock_skew_ms=self.clock_skew_ms,
            delivery_ms=self.delivery_ms,
            shard_idle_ms=self.shard_idle_ms,
            release=self.release,
        )

    def wants(self, sink: str) -> bool:
        """Whether the job writes ``sink``."""
        return sink in self.sinks.split(",")


def read_settings(file: Path | None = None) -> Settings:
    """Read the settings.

    :param file: default: what ``CODEWAVE_APPLICATION_PROPERTIES`` names, else Managed Flink's place.
    :raises SettingsError: with the file, the property and what is wrong with it.
    """
    path = file or Path(os.environ.get(FILE_VARIABLE, MANAGED_FLINK_FILE))
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        properties = {group["PropertyGroupId"]: group["PropertyMap"] for group in groups}
    except FileNotFoundError:
        raise SettingsError(f"room_events: no properties at {path}; set {FILE_VARIABLE}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"room_events: {path} is not a list of property groups: {error!r}") from None
    if PROPERTY_GROUP not in properties:
        raise SettingsError(f"room_events: {path} has no property group {PROPERTY_GROUP!r}")
    return _settings(properties[PROPERTY_GROUP], path)


def _settings(values: dict[str, Any], path: Path) -> Settings:
    try:
        if isinstance(by_type := values.get("event_bytes_by_type"), str):
            values = {**values, "event_bytes_by_type": json.loads(by_type)}
        settings = msgspec.convert(values, Settings, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"room_events: property in {path}: {error}") from None
    unknown = set(settings.sinks.split(",")) - set(SINKS)
    if unknown or not settings.sinks:
        raise SettingsError(f"room_events: sinks={settings.sinks!r} in {path}; use any of {','.join(SINKS)}")
    if settings.execution_silence_ms < settings.gap_timeout_ms:
        raise SettingsError(
            f"room_events: execution_silence_ms={settings.execution_silence_ms} in {path} is below gap_timeout_ms="
            f"{settings.gap_timeout_ms}; events that wait would not be heard: raise it"
        )
    if settings.wants("search") and not settings.search_url:
        raise SettingsError(f"room_events: the sink 'search' needs the property search_url in {path}")
    return settings
