"""The lake that a DAG's tasks work on, as the settings of the DAGs say."""

from pathlib import Path
from typing import TYPE_CHECKING

from codewave.local.settings import load_settings
from codewave.orchestration.settings import OrchestrationSettings, load_orchestration_settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from iceberg.engine import Engine
    from iceberg.lake import Lake


def open_lake(settings: OrchestrationSettings | None = None) -> "Lake":
    """The lake; call it inside a task, it imports what reading takes.

    :param settings: default: those of Airflow's configuration.
    :raises CodewaveError: if the catalog is down.
    """
    settings = settings or load_orchestration_settings()
    if settings.catalog is None:
        from iceberg.lake import local_lake

        return local_lake(load_settings(), settings.namespace)
    return _configured_lake(settings, settings.catalog)


def _configured_lake(settings: OrchestrationSettings, properties: dict[str, str]) -> "Lake":
    from pyiceberg.catalog import load_catalog

    from codewave.local.namespace import Namespace
    from iceberg.definition import read_definitions
    from iceberg.lake import Lake

    named = dict(properties)
    catalog = load_catalog(named.pop("name", "codewave"), **named)
    state = Path(settings.state) if settings.state else load_settings().data / "lake"
    engine = _engine(settings, catalog)
    return Lake(catalog, Namespace(settings.namespace), engine, state, tuple(read_definitions()))


def _engine(settings: OrchestrationSettings, catalog: "Catalog") -> "Engine":
    if settings.engine == "duckdb":
        from iceberg.engine import DuckDbEngine

        return DuckDbEngine(catalog, settings.namespace, Path(settings.warehouse))
    import boto3

    from iceberg.athena_engine import AthenaEngine, AthenaSettings

    athena = AthenaSettings(
        database=settings.namespace, output=settings.athena_output, workgroup=settings.athena_workgroup
    )
    return AthenaEngine(boto3.client("athena"), boto3.client("s3"), catalog, athena)
