"""What the job is told: application properties in Managed Flink's form."""

import json
import subprocess
from pathlib import Path
from typing import Final

from codewave.errors import WrongUseError
from codewave.local.namespace import Namespace
from codewave.local.saved_states import checkpoint_folder, parse_time
from codewave.local.secret_file import write_secret
from codewave.local.settings import PROJECT_ROOT, LocalSettings

SINKS: Final = ("raw", "lake", "search")
ALL_SINKS: Final = ",".join(SINKS)
PROPERTY_GROUP: Final = "room_events"
_SEARCH_ROLE: Final = "stream_writer"
_UNRELEASED: Final = "0.1.0"


def job_name(namespace: Namespace, sinks: str) -> str:
    """Name of the job that writes ``sinks``: jobs of one namespace that write fewer than all carry them as a suffix.

    :raises WrongUseError: for a sink that does not exist.
    """
    wanted = sinks.split(",")
    if not set(wanted) <= set(SINKS):
        raise WrongUseError(f"--sinks {sinks}: use any of {ALL_SINKS}, separated by commas")
    chosen = [sink for sink in SINKS if sink in wanted]
    return namespace.job("" if len(chosen) == len(SINKS) else f"-{'-'.join(chosen)}")


def stream_start(start_from: str) -> str:
    """Where to begin in the stream, as the job understands it: ``earliest``, ``latest`` or ms since epoch."""
    return start_from if start_from in {"earliest", "latest"} else str(parse_time(start_from))


def job_properties(settings: LocalSettings, namespace: Namespace, sinks: str, start_from: str) -> dict[str, str]:
    """Return every property that differs between this machine and AWS, or between namespaces."""
    properties = {
        "namespace": namespace.name,
        "sinks": sinks,
        "stream_name": namespace.stream,
        "stream_endpoint": settings.kinesis_endpoint,
        "stream_region": "us-east-1",
        "stream_start": stream_start(start_from),
        "stream_credentials": "basic",
        "catalog_type": "rest",
        "catalog_uri": settings.catalog_uri,
        "warehouse": settings.warehouse.as_uri(),
        "index_prefix": namespace.index_prefix,
        "checkpoint_interval_ms": str(settings.checkpoint_interval_ms),
        "checkpoint_folder": checkpoint_folder(settings, job_name(namespace, sinks)).as_uri(),
        "release": release(),
    }
    return properties | (_search_properties(settings) if "search" in sinks.split(",") else {})


def write_properties(file: Path, properties: dict[str, str]) -> None:
    """Write the properties, readable by their owner alone: they hold the search password."""
    groups = [{"PropertyGroupId": PROPERTY_GROUP, "PropertyMap": properties}]
    write_secret(file, json.dumps(groups, indent=2))


def release() -> str:
    """What runs: the commit as git describes it, or the version where there is no commit yet."""
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    answer = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else _UNRELEASED


def _search_properties(settings: LocalSettings) -> dict[str, str]:
    from codewave.local import opensearch

    user, password = opensearch.search_credentials(settings, _SEARCH_ROLE)
    return {
        "search_url": opensearch.search_url(settings),
        "search_user": user,
        "search_password": password,
        "search_allow_insecure": "true",
    }
