"""OpenLineage run events: what a run reads and writes, with columns, schemas and versions."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from iceberg.definition import TableDefinition
from iceberg.lineage.columns import ColumnEdge, How
from iceberg.lineage.graph import Dataset, Job
from iceberg.lineage.naming import Naming

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER: Final = "https://codewave.dev/pipeline"
"""Identifies in every event who made it; a name, not a page."""

State = Literal["START", "COMPLETE", "FAIL", "ABORT"]

# DIRECT with these subtypes: OpenLineage, ColumnLineageDatasetFacet 1-2-0.
_SUBTYPES: Final[dict[How, str]] = {
    "same": "IDENTITY",
    "computed": "TRANSFORMATION",
    "aggregated": "AGGREGATION",
    "decoded": "TRANSFORMATION",
}


class Run(Struct, frozen=True, kw_only=True):
    """One run of a job."""

    id: str
    """A UUID."""
    job: Job
    kind: Literal["BATCH", "STREAMING"] = "BATCH"
    parent: tuple[str, str] | None = None
    """Run id (a UUID) and job name of what started it, such as a DAG's run."""
    interval: tuple[datetime, datetime] | None = None
    """What the run is about, where it is a time: start and end, UTC."""


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of the datasets at the moment of the event."""

    definitions: Mapping[str, TableDefinition]
    versions: Mapping[str, str] = {}
    """Snapshot of each table."""
    error: str = ""


def run_event(run: Run, state: State, at: datetime, naming: Naming, facts: Facts) -> "RunEvent":
    """Make one event; sends nothing."""
    from openlineage.client import event_v2, facet_v2

    facet_v2.set_producer(PRODUCER)
    namespace, name = naming.job(run.job.name)
    return event_v2.RunEvent(
        eventType=event_v2.RunState(state),
        eventTime=at.isoformat(),
        producer=PRODUCER,
        run=event_v2.Run(runId=run.id, facets=_run_facets(run, naming, facts)),
        job=event_v2.Job(namespace=namespace, name=name, facets=_job_facets(run)),
        inputs=[_input(one, naming, facts) for one in run.job.inputs],
        outputs=[_output(one, run.job, naming, facts) for one in run.job.outputs],
    )


def _run_facets(run: Run, naming: Naming, facts: Facts) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run, parent_run

    facets: dict[str, Any] = {}
    if run.interval:
        start, end = run.interval
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(start.isoformat(), end.isoformat())
    if run.parent:
        run_id, job = run.parent
        namespace, name = naming.job(job)
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run_id), job=parent_run.Job(namespace=namespace, name=name)
        )
    if facts.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(facts.error, "PYTHON")
    return facets


def _job_facets(run: Run) -> dict[str, Any]:
    from openlineage.client.facet_v2 import job_type_job, sql_job

    integration = "FLINK" if run.kind == "STREAMING" else "CODEWAVE"
    facets: dict[str, Any] = {"jobType": job_type_job.JobTypeJobFacet(run.kind, integration)}
    if run.job.sql:
        facets["sql"] = sql_job.SQLJobFacet(query=run.job.sql, dialect="athena")
    return facets


def _input(dataset: Dataset, naming: Naming, facts: Facts) -> Any:
    from openlineage.client.event_v2 import InputDataset

    namespace, name = naming.dataset(dataset)
    return InputDataset(namespace=namespace, name=name, facets=_facets(dataset, facts))


def _output(dataset: Dataset, job: Job, naming: Naming, facts: Facts) -> Any:
    from openlineage.client.event_v2 import OutputDataset

    namespace, name = naming.dataset(dataset)
    facets = _facets(dataset, facts)
    if edges := [edge for edge in job.columns if edge.target.dataset == dataset.name]:
        facets["columnLineage"] = _columns(edges, job, naming)
    return OutputDataset(namespace=namespace, name=name, facets=facets)


def _facets(dataset: Dataset, facts: Facts) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    if dataset.kind != "table":
        return {}
    facets: dict[str, Any] = {}
    if definition := facts.definitions.get(dataset.name):
        fields = [schema_dataset.SchemaDatasetFacetFields(name=one.name, type=one.type) for one in definition.columns]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if version := facts.versions.get(dataset.name):
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)
    return facets


def _columns(edges: Iterable[ColumnEdge], job: Job, naming: Naming) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    inputs = {dataset.name: naming.dataset(dataset) for dataset in job.inputs}
    fields: dict[str, Any] = {}
    for edge in edges:
        namespace, name = inputs[edge.source.dataset]
        how = facet.Transformation(type="DIRECT", subtype=_SUBTYPES[edge.how], description=edge.how)
        source = facet.InputField(namespace, name, edge.source.column, transformations=[how])
        fields.setdefault(edge.target.column, facet.Fields(inputFields=[])).inputFields.append(source)
    return facet.ColumnLineageDatasetFacet(fields=fields)
