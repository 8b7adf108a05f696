"""The part of Flink's REST interface that the local stack uses."""

from collections.abc import Callable
from math import isnan
from typing import Any, Final
from urllib.parse import quote

import requests

from codewave.errors import CodewaveError

_TIMEOUT_S: Final = 10.0
_METRICS_AT_ONCE: Final = 20
"""Their names go into the address, of which Flink takes 4,096 characters."""


class FlinkRest:
    """Calls to one cluster; answers are Flink's own JSON objects."""

    def __init__(self, url: str) -> None:
        self._url = url

    def answers(self) -> bool:
        """Whether the cluster's REST interface answers."""
        try:
            return requests.get(f"{self._url}/overview", timeout=2.0).ok
        except requests.RequestException:
            return False

    def overview(self) -> dict[str, Any]:
        """Counts of TaskManagers, slots and jobs."""
        return dict(self._call("GET", "/overview"))

    def task_manager_ids(self) -> set[str]:
        """Ids of the TaskManagers that have registered and reported their slots."""
        known = self._call("GET", "/taskmanagers")["taskmanagers"]
        return {str(one["id"]) for one in known if one["slotsNumber"] > 0}

    def jobs(self) -> list[dict[str, Any]]:
        """``jid``, ``name``, ``state`` and times of every job that the cluster remembers."""
        return list(self._call("GET", "/jobs/overview")["jobs"])

    def job(self, job_id: str) -> dict[str, Any]:
        """A job with its vertices."""
        return dict(self._call("GET", f"/jobs/{job_id}"))

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """Counts and the latest checkpoints of a job."""
        return dict(self._call("GET", f"/jobs/{job_id}/checkpoints"))

    def exceptions(self, job_id: str) -> list[dict[str, Any]]:
        """Failures of a job, newest first."""
        return list(self._call("GET", f"/jobs/{job_id}/exceptions?maxExceptions=5")["exceptionHistory"]["entries"])

    def metric(self, job_id: str, name: str) -> str | None:
        """One metric of a job, or nothing while it has none."""
        answer = self._call("GET", f"/jobs/{job_id}/metrics?get={name}")
        return str(answer[0]["value"]) if answer else None

    def vertex_metrics(self, job_id: str, vertex_id: str, wanted: Callable[[str], bool]) -> dict[str, list[float]]:
        """Metrics of a vertex: name → one value for each subtask that has one; those that Flink has collected so far.

        :param wanted: whether a metric is wanted, by its name without the number of the subtask in front.
        """
        path = f"/jobs/{job_id}/vertices/{vertex_id}/metrics"
        ids = [str(one["id"]) for one in self._call("GET", path)]
        ids = [name for name in ids if wanted(name.partition(".")[2])]
        found: dict[str, list[float]] = {}
        for start in range(0, len(ids), _METRICS_AT_ONCE):
            names = quote(",".join(ids[start : start + _METRICS_AT_ONCE]))
            for one in self._call("GET", f"{path}?get={names}"):
                # NaN, and in JSON that is a text: there is nothing yet of which this would be a mean or a percentile.
                if not isnan(value := float(one["value"])):
                    found.setdefault(str(one["id"]).partition(".")[2], []).append(value)
        return found

    def cancel(self, job_id: str) -> None:
        """Ask for the job's end, without a savepoint."""
        self._call("PATCH", f"/jobs/{job_id}?mode=cancel")

    def stop(self, job_id: str, folder: str) -> str:
        """Ask for a savepoint below ``folder`` and the job's end; returns the request's id."""
        body = {"targetDirectory": folder, "drain": False}
        return str(self._call("POST", f"/jobs/{job_id}/stop", body)["request-id"])

    def savepoint(self, job_id: str, folder: str) -> str:
        """Ask for a savepoint below ``folder``; returns the request's id."""
        body = {"target-directory": folder, "cancel-job": False}
        return str(self._call("POST", f"/jobs/{job_id}/savepoints", body)["request-id"])

    def savepoint_request(self, job_id: str, request_id: str) -> dict[str, Any]:
        """What became of a savepoint request: ``status`` and, when done, ``operation``."""
        return dict(self._call("GET", f"/jobs/{job_id}/savepoints/{request_id}"))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = requests.request(method, self._url + path, json=body, timeout=_TIMEOUT_S)
        except requests.RequestException:
            raise CodewaveError(f"flink: nothing answers on {self._url}; start the stack with `codewave up`") from None
        if not answer.ok:
            raise CodewaveError(f"flink: {method} {path} answered {answer.status_code}: {_first_line(answer)}")
        return answer.json()


def _first_line(answer: requests.Response) -> str:
    try:
        errors = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return answer.reason
    return str(errors[-1]).strip().splitlines()[0] if errors else answer.reason
