"""Alerts: to SNS where a topic is set, else to a log that anybody can append to at once."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from codewave.errors import WrongUseError
from codewave.orchestration.alerts import Alert, deadline_missed, read_alerts, send
from codewave.orchestration.settings import OrchestrationSettings, settings_from

REGION = "eu-central-1"
ALERT = Alert(kind="task_failed", subject="billing_close.close", message="why", at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.mark.usefixtures("credentials")
@mock_aws
def test_an_alert_is_published_to_the_topic_with_its_fields_as_json():
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="alerts")["TopicArn"]
    queue = boto3.client("sqs", region_name=REGION).create_queue(QueueName="on-call")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{topic.split(':')[4]}:on-call"
    boto3.client("sns", region_name=REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    send(ALERT, OrchestrationSettings(alert_topic_arn=topic))
    (message,) = boto3.client("sqs", region_name=REGION).receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert body["Subject"] == "codewave: task failed: billing_close.close"
    assert json.loads(body["Message"])["message"] == "why"


def test_without_a_topic_alerts_are_lines_of_a_log_that_only_its_owner_reads(tmp_path: Path):
    log = tmp_path / "logs" / "alerts.log"
    settings = OrchestrationSettings(alert_log=str(log))
    send(ALERT, settings)
    send(ALERT, settings)
    assert read_alerts(log) == [ALERT, ALERT]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_title_is_what_a_mail_takes_as_its_subject():
    long = Alert(kind="not_fresh", subject="tä\nble" * 40, message="", at=ALERT.at)
    assert len(long.title()) == 100
    assert long.title().isascii()
    assert long.title().isprintable()


def test_a_missed_deadline_says_which_run_by_when_and_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    context = {
        "dag_run": {"dag_id": "billing_close", "dag_run_id": "manual-1", "state": "running"},
        "deadline": {"id": "1", "deadline_time": "2026-01-01 08:00:00+00:00"},
    }
    settings = OrchestrationSettings(alert_log=str(tmp_path / "alerts.log"))
    monkeypatch.setattr("codewave.orchestration.alerts.load_orchestration_settings", lambda: settings)
    asyncio.run(deadline_missed("billing", context))
    (alert,) = read_alerts(tmp_path / "alerts.log")
    assert (alert.kind, alert.subject, alert.run_id) == ("deadline_missed", "billing_close", "manual-1")
    assert alert.message == "should have ended by 2026-01-01 08:00:00+00:00, its state is running; owner: billing"


def test_settings_come_as_text_and_an_unknown_one_is_named():
    assert settings_from({"catalog": '{"type": "glue"}', "namespace": ""}).catalog == {"type": "glue"}
    with pytest.raises(WrongUseError, match=r"\[codewave\]: .*alert_topic.*known settings"):
        settings_from({"alert_topic": "arn:aws:sns:x:1:y"})
    with pytest.raises(WrongUseError, match=r"\[codewave\]: "):
        settings_from({"catalog": "glue"})
