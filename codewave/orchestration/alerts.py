"""Alerts: what people on call are told when a deadline is missed, a task fails for good or a table is not fresh.

They go to an SNS topic where one is set, else to a log. Deadline callbacks run in Airflow's triggerer, which imports
them by name: this module is part of the installed package and imports nothing heavy.
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from codewave.orchestration.settings import OrchestrationSettings, load_orchestration_settings

LOG_NAME: Final = "alerts.log"
_SUBJECT_CHARACTERS: Final = 100
"""SNS refuses longer subjects (API reference of Publish)."""

Kind = Literal["deadline_missed", "task_failed", "not_fresh", "fresh_again", "error_budget"]


class Alert(Struct, frozen=True, kw_only=True):
    """One thing that somebody should look at."""

    kind: Kind
    subject: str
    """What it is about: a DAG, or a table."""
    message: str
    at: datetime
    run_id: str = ""
    """Airflow's run, where there is one."""

    def title(self) -> str:
        """One line of ASCII, short enough for a mail's subject."""
        line = " ".join(f"codewave: {self.kind.replace('_', ' ')}: {self.subject}".split())
        return line.encode("ascii", "replace").decode()[:_SUBJECT_CHARACTERS]


def send(alert: Alert, settings: OrchestrationSettings | None = None) -> None:
    """Send an alert to the topic, or append it to the log where there is no topic."""
    settings = settings or load_orchestration_settings()
    if settings.alert_topic_arn:
        _publish(alert, settings.alert_topic_arn)
    else:
        _append(alert, alert_log(settings))


def alert_log(settings: OrchestrationSettings) -> Path:
    """File of the alerts where there is no topic."""
    if settings.alert_log:
        return Path(settings.alert_log)
    from codewave.local.settings import load_settings

    return load_settings().data / "logs" / LOG_NAME


def read_alerts(file: Path) -> list[Alert]:
    """The alerts in a log, oldest first; none if there is no such file."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Alert) for line in lines]


async def deadline_missed(owner: str, context: dict[str, Any]) -> None:
    """Airflow's callback for a run that did not end in time.

    :param owner: of the DAG, who is to look at it.
    :param context: Airflow's: ``dag_run`` as its API shows it, ``deadline`` with its time.
    """
    run, deadline = context["dag_run"], context["deadline"]
    message = f"should have ended by {deadline['deadline_time']}, its state is {run['state']}; owner: {owner}"
    await asyncio.to_thread(send, _now("deadline_missed", run["dag_id"], message, run["dag_run_id"]))


def task_failed(context: Any) -> None:
    """Airflow's callback for a task that failed and will not be tried again; the reason is the exception's text."""
    task = context["ti"]
    reason = context.get("exception") or "it was killed, or its process died"
    send(_now("task_failed", f"{task.dag_id}.{task.task_id}", str(reason), task.run_id))


def table_freshness(kind: Literal["not_fresh", "fresh_again"], table: str, message: str) -> None:
    """Tell that a table became stale, or is fresh again."""
    send(_now(kind, table, message))


def error_budget(message: str) -> None:
    """Tell that the error budget is spent, or goes too fast."""
    send(_now("error_budget", "pipeline", message))


def _now(kind: Kind, subject: str, message: str, run_id: str = "") -> Alert:
    return Alert(kind=kind, subject=subject, message=message, at=datetime.now(UTC), run_id=run_id)


def _append(alert: Alert, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # One write of one line: several processes may append at the same time.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(alert) + b"\n")
    finally:
        os.close(descriptor)


def _publish(alert: Alert, topic_arn: str) -> None:
    import boto3

    region = topic_arn.split(":")[3]
    sns = boto3.client("sns", region_name=region)
    sns.publish(TopicArn=topic_arn, Subject=alert.title(), Message=msgspec.json.encode(alert).decode())
