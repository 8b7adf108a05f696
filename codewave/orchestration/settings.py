"""Settings of the DAGs: section ``[codewave]`` of Airflow's configuration.

Airflow reads it from ``airflow.cfg`` or ``AIRFLOW__CODEWAVE__<NAME>``; on MWAA these are configuration options of the
environment. So the DAG files are the same everywhere.
"""

import os
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from codewave.errors import WrongUseError

SECTION: Final = "codewave"
_VARIABLES: Final = f"AIRFLOW__{SECTION.upper()}__"


class OrchestrationSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of the DAGs; the defaults are those of the local stack."""

    namespace: str = "rooms"
    """Of the lake."""
    engine: Literal["duckdb", "athena"] = "duckdb"
    """What runs the SQL."""
    catalog: dict[str, str] | None = None
    """pyiceberg's properties of the catalog, ``{"type": "glue"}`` say, and its ``name``; default: the local stack's."""
    warehouse: str = ""
    """Folder that DuckDB may read: where the lake's files are."""
    state: str = ""
    """Folder for what is kept beside the tables; default: ``lake`` in the local stack's data folder."""
    athena_workgroup: str = "primary"
    athena_output: str = ""
    """``s3://bucket/prefix/`` for Athena's results."""
    alert_topic_arn: str = ""
    """SNS topic that alerts go to; default: none, they go to ``alert_log``."""
    alert_log: str = ""
    """File that alerts are appended to, one JSON object a line; default: ``logs/alerts.log`` in the data folder."""


def load_orchestration_settings() -> OrchestrationSettings:
    """Read the settings from Airflow's configuration.

    :raises WrongUseError: for a key that does not exist or a value of the wrong type, with its name.
    """
    from airflow.configuration import conf

    # Airflow's own view of a section leaves out what only the environment has.
    names = set(conf.getsection(SECTION) or {}) | {key.lower() for key in _in_environment()}
    return settings_from({name: conf.get(SECTION, name, fallback="") for name in names})


def settings_from(values: dict[str, str]) -> OrchestrationSettings:
    """The settings from a section's values, as text; ``catalog`` is a JSON object.

    :raises WrongUseError: as :func:`load_orchestration_settings`.
    """
    given: dict[str, Any] = {key: value for key, value in values.items() if value}
    try:
        if "catalog" in given:
            given["catalog"] = msgspec.json.decode(given["catalog"], type=dict[str, str])
        return msgspec.convert(given, OrchestrationSettings, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        known = ", ".join(OrchestrationSettings.__struct_fields__)
        raise WrongUseError(f"[{SECTION}]: {error}; known settings of the section: {known}") from None


def _in_environment() -> list[str]:
    return [key.removeprefix(_VARIABLES) for key in os.environ if key.startswith(_VARIABLES)]
