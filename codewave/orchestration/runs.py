"""DAGs run one after the other, in a process that is part of an Airflow but needs none of its services.

The process' own entry, ``python -m codewave.orchestration.runs``, prints one JSON value; everything else that Airflow
says goes to standard error.
"""

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from codewave.errors import CodewaveError, WrongUseError

if TYPE_CHECKING:
    from airflow.sdk import DAG

DERIVED: Final = "derived"
"""Tag of the DAGs of derived tables, and the name that stands for all of them."""


class DagInfo(Struct, frozen=True, kw_only=True):
    """A DAG."""

    name: str
    description: str
    """The first line of its documentation."""
    schedule: str
    owner: str
    tags: list[str]
    deadline_seconds: float | None


class TaskResult(Struct, frozen=True, kw_only=True):
    """What became of one task."""

    task: str
    map_index: int
    """Of a mapped task, from 0; -1 of others."""
    state: str
    seconds: float


class DagResult(Struct, frozen=True, kw_only=True):
    """What became of one run of a DAG."""

    dag: str
    run_id: str
    state: str
    seconds: float
    tasks: list[TaskResult]
    reason: str = ""
    """Why it failed: what its first failed task raised."""

    @property
    def succeeded(self) -> bool:
        """Whether all went well."""
        return self.state == "success"


class DagFolder:
    """The DAGs of Airflow's folder, read and made known to its database."""

    def __init__(self) -> None:
        """Read the folder.

        :raises CodewaveError: if a file cannot be imported, with the reason.
        """
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

        manager = DagBundlesManager()  # type: ignore[no-untyped-call]
        manager.sync_bundles_to_db()
        self.dags: dict[str, DAG] = {}
        for bundle in manager.get_all_dag_bundles():
            bundle.initialize()
            bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
            if bag.import_errors:
                file, reason = next(iter(bag.import_errors.items()))
                raise CodewaveError(f"dags: {Path(file).name}: {reason.strip().splitlines()[-1]}")
            sync_bag_to_db(bag, bundle.name, bundle.version)
            self.dags |= bag.dags

    def infos(self) -> list[DagInfo]:
        """All DAGs, by name."""
        return [_info(dag) for _, dag in sorted(self.dags.items())]

    def chosen(self, names: Sequence[str]) -> list[str]:
        """Names of DAGs, with those of derived tables in the place of ``derived``, in the order of their sources.

        :raises WrongUseError: for a name that does not exist.
        """
        found: list[str] = []
        for name in names:
            if name != DERIVED and name not in self.dags:
                known = ", ".join(sorted(self.dags))
                raise WrongUseError(
                    f"dags: no DAG {name!r}; there are: {known}, and {DERIVED} for all of derived tables"
                )
            found += self._derived() if name == DERIVED else [name]
        return list(dict.fromkeys(found))

    def run(self, name: str, conf: dict[str, Any]) -> DagResult:
        """Run a DAG in this process, with its tasks in their order; what fails is not tried again."""
        dag = self.dags[name]
        begin = time.monotonic()
        with _here_and_now(dag) as failures:
            run = dag.test(run_conf=conf)
        return _result(run, round(time.monotonic() - begin, 3), failures[0] if failures else "")

    def _derived(self) -> list[str]:
        from codewave.orchestration.dag import derived_in_order

        return [f"derive_{table}" for table in derived_in_order()]


def run_in_order(folder: DagFolder, names: Sequence[str], day: str | None) -> list[DagResult]:
    """Run DAGs until one fails.

    :param day: for those that take one.
    """
    results = []
    for name in folder.chosen(names):
        takes_day = "day" in folder.dags[name].params
        results.append(folder.run(name, {"day": day} if day and takes_day else {}))
        if not results[-1].succeeded:
            break
    return results


def _info(dag: "DAG") -> DagInfo:
    deadline = next(iter(_listed(dag.deadline)), None)
    lines = (dag.doc_md or "").strip().splitlines()
    return DagInfo(
        name=dag.dag_id,
        description=lines[0] if lines else "",
        schedule=_schedule(dag),
        owner=dag.owner,
        tags=sorted(dag.tags),
        deadline_seconds=deadline.interval.total_seconds() if deadline else None,
    )


def _schedule(dag: "DAG") -> str:
    timetable: Any = dag.timetable
    if condition := getattr(timetable, "asset_condition", None):
        return f"{' or '.join(sorted(asset.name for asset in condition.objects))} has new rows"
    return getattr(timetable, "expression", None) or "by hand"


@contextmanager
def _here_and_now(dag: "DAG") -> Iterator[list[str]]:
    """A DAG without deadline and retries, for someone who waits for the run; gives what its tasks failed with.

    Besides, Airflow 3.2.1 cannot end a run here that has a deadline: it takes the definition for the id of a row.
    """
    failures: list[str] = []

    def note(context: Any) -> None:
        failures.append(f"{context['ti'].task_id}: {context.get('exception')}")

    deadline, tasks = dag.deadline, [(task, task.retries, task.on_failure_callback) for task in dag.tasks]
    dag.deadline = None
    for task, _, callbacks in tasks:
        task.retries = 0
        task.on_failure_callback = [*_listed(callbacks), note]
    try:
        with _exceptions_told(), _one_task_api():
            yield failures
    finally:
        dag.deadline = deadline
        for task, retries, callbacks in tasks:
            task.retries, task.on_failure_callback = retries, callbacks


@contextmanager
def _exceptions_told() -> Iterator[None]:
    """Callbacks learn what a task raised, as from Airflow's own task runner; 3.2.1 leaves that out in this process."""
    from airflow.sdk.execution_time import task_runner

    original = task_runner.finalize

    def finalize(ti: Any, state: Any, context: Any, log: Any, error: BaseException | None = None) -> None:
        if error is not None:
            context["exception"] = error
        original(ti, state, context, log, error)

    task_runner.finalize = finalize
    try:
        yield
    finally:
        task_runner.finalize = original


@contextmanager
def _one_task_api() -> Iterator[None]:
    """Airflow's interface of tasks is made once; for a run in this process, 3.2.1 makes it anew for every task.

    Eight versions of its routes and schemas take longer than most tasks: of six empty tasks all but 0.9 of 30 s.
    """
    from airflow.sdk.execution_time import supervisor

    original = supervisor.in_process_api_server
    supervisor.in_process_api_server = _task_api
    try:
        yield
    finally:
        supervisor.in_process_api_server = original


@cache
def _task_api() -> Any:
    from airflow.api_fastapi.execution_api.app import InProcessExecutionAPI

    return InProcessExecutionAPI()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []


def _result(run: Any, seconds: float, reason: str) -> DagResult:
    tasks = [
        TaskResult(task=one.task_id, map_index=one.map_index, state=str(one.state), seconds=round(one.duration or 0, 3))
        for one in run.get_task_instances()
    ]
    ordered = sorted(tasks, key=lambda one: (one.task, one.map_index))
    return DagResult(
        dag=run.dag_id, run_id=run.run_id, state=str(run.state), seconds=seconds, tasks=ordered, reason=reason
    )


def _main() -> None:
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Airflow and the tasks print; what this process answers must stand alone.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    parser = ArgumentParser()
    parser.add_argument("what", choices=["list", "run"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--day")
    words = parser.parse_args()
    try:
        folder = DagFolder()
        result: Any = folder.infos() if words.what == "list" else run_in_order(folder, words.names, words.day)
    except CodewaveError as error:
        output.write(str(error).encode())
        output.close()
        sys.exit(error.exit_code)
    output.write(msgspec.json.encode(result))
    output.close()


if __name__ == "__main__":
    _main()
