"""A namespace with nothing in it: its stream, tables, indices and the job's saved states, made anew."""

import shutil
from collections.abc import Callable

from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings


def reset_namespace(settings: LocalSettings, namespace: Namespace, report: Callable[[str], None]) -> None:
    """Remove everything of a namespace and create its stream, tables and templates again; the stack is up.

    :param report: told each step.
    """
    report("stopping its jobs")
    _forget_jobs(settings, namespace)
    report("emptying its tables and indices")
    _empty_stores(settings, namespace)


def create_namespace(settings: LocalSettings, namespace: Namespace) -> None:
    """Create what a namespace needs and does not have: stream, tables, index templates."""
    from codewave.local.kinesis import create_stream
    from codewave.local.opensearch import apply_templates
    from iceberg.apply import apply_tables

    create_stream(settings, namespace.name)
    apply_tables(settings, namespace.name)
    apply_templates(settings, namespace.name)


def _forget_jobs(settings: LocalSettings, namespace: Namespace) -> None:
    from codewave.local.job_code import job_folder
    from codewave.local.job_status import job_status
    from codewave.local.jobs import cancel_job
    from codewave.local.saved_states import checkpoint_folder, savepoint_folder

    for job in job_status(settings, namespace):
        if job.state not in {"GONE", "CANCELED", "FINISHED", "FAILED"}:
            cancel_job(settings, namespace, job.sinks)
        for folder in (checkpoint_folder, savepoint_folder, job_folder):
            shutil.rmtree(folder(settings, job.name), ignore_errors=True)


def _empty_stores(settings: LocalSettings, namespace: Namespace) -> None:
    from codewave.local.kinesis import delete_stream
    from codewave.local.opensearch import delete_indices
    from iceberg.apply import drop_tables

    delete_stream(settings, namespace.name)
    drop_tables(settings, namespace.name)
    delete_indices(settings, namespace.name)
    create_namespace(settings, namespace)
