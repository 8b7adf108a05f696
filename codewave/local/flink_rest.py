"""The part of Flink's REST interface that the local stack uses."""

from typing import Any, Final

import requests

from codewave.errors import CodewaveError

_TIMEOUT_S: Final = 10.0


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
