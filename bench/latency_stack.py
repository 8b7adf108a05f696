"""The local stack of the latency suite: as people run it, with the job and all its sinks, on ports of its own."""

from typing import Final

import msgspec

from bench.contender import ContenderError
from bench.ports import with_free_ports
from codewave.local import flink, stack
from codewave.local.flink_rest import FlinkRest
from codewave.local.jobs import start_job
from codewave.local.namespace import LIVE, Namespace
from codewave.local.reset import reset_namespace
from codewave.local.settings import LocalSettings
from flink_jobs.room_events.metrics import AUDITED, GROUP

NAMESPACE: Final = Namespace(LIVE)
OPERATOR: Final = "room-events"
"""The job's operator that counts."""
_PORTS: Final = ("kinesis", "catalog", "opensearch", "opensearch_transport", "flink", "flink_rpc", "flink_blob")
_OPTIONS: Final = {"metrics.fetcher.update-interval": "200"}
"""In ms: how old a figure may be; by default 10 s."""
_RECEIVED: Final = next(name for name, column in AUDITED.items() if column == "received")


class LatencyStack:
    """Stream, catalog, OpenSearch, Flink and the job.

    :param base: settings of the local stack.
    """

    def __init__(self, base: LocalSettings) -> None:
        self.settings = msgspec.structs.replace(base, data_folder=str(base.data / "bench" / "latency"))
        self._rest = FlinkRest("")
        self._job_id = ""
        self._vertex = ""

    def start(self) -> None:
        """Start everything, empty.

        :raises CodewaveError: if a part does not come up.
        """
        stack.down(self.settings, _say_nothing)  # what a benchmark that was killed left running
        self.settings = with_free_ports(self.settings, _PORTS)
        flink.start_cluster(self.settings, _OPTIONS)
        stack.up(self.settings, _say_nothing)
        reset_namespace(self.settings, NAMESPACE, lambda _: None)
        self._rest = FlinkRest(self.settings.flink_url)
        self._job_id = start_job(self.settings, NAMESPACE).id
        vertices = self._rest.job(self._job_id)["vertices"]
        self._vertex = next(str(vertex["id"]) for vertex in vertices if OPERATOR in vertex["name"])

    def close(self) -> None:
        """Stop everything."""
        stack.down(self.settings, _say_nothing)

    def received(self) -> int:
        """Events that the job has taken in since its start.

        :raises ContenderError: if the job has failed since: it counts from its last checkpoint then.
        """
        if self._rest.exceptions(self._job_id):
            raise ContenderError("latency: the job has failed meanwhile; see the TaskManagers' logs")
        counts = self._rest.vertex_metrics(self._job_id, self._vertex, is_received)
        return sum(round(sum(values)) for values in counts.values())


def is_received(metric: str) -> bool:
    """Whether a metric of a vertex counts the events that the job has taken in."""
    return metric == f"{OPERATOR}.{GROUP}.{_RECEIVED}"


def _say_nothing(_part: str, _message: str) -> None:
    """Progress is shown otherwise."""
