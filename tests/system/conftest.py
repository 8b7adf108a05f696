"""One local stack for all tests of the job: each test uses namespaces of its own."""

from collections.abc import Iterator

import msgspec
import pytest

from codewave.errors import CodewaveError
from codewave.local import processes, stack
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings, load_settings

pytest.register_assert_rewrite("system_proof")

PORTS = ("kinesis", "catalog", "opensearch", "opensearch_transport", "flink", "flink_rpc", "flink_blob")


def free_settings(folder: str, task_managers: int) -> LocalSettings:
    """Settings of a stack of its own: a data folder and ports that nobody uses."""
    base = load_settings(environment={})
    for offset in range(10_000, 20_000, 250):
        mine = msgspec.structs.replace(
            base, port_offset=offset, data_folder=folder, task_managers=task_managers, checkpoint_interval_ms=2_000
        )
        try:
            processes.check_ports(mine, PORTS)
        except CodewaveError:
            continue
        return mine
    pytest.fail("no free ports")


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """A running stack with three one-slot TaskManagers."""
    settings = free_settings(str(tmp_path_factory.mktemp("shared")), task_managers=3)
    try:
        stack.up(settings, lambda part, message: None)
        yield settings
    finally:
        stack.down(settings, lambda part, message: None)


@pytest.fixture
def fresh_namespace(shared_stack: LocalSettings, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """An empty namespace; afterwards its jobs are cancelled and its records, which live in memory, are let go."""
    from codewave.local.jobs import cancel_job, recorded_jobs
    from codewave.local.kinesis import delete_stream
    from codewave.local.reset import create_namespace

    namespace = Namespace("t" + "".join(letter for letter in request.node.name if letter.isalnum()).lower()[-30:])
    create_namespace(shared_stack, namespace)
    yield namespace
    for job in recorded_jobs(shared_stack, namespace):
        cancel_job(shared_stack, namespace, job.sinks)
    delete_stream(shared_stack, namespace.name)
