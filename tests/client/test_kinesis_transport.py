"""The Kinesis transport tells errors worth a retry from the rest."""

import socket
import threading

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from fake_stream import THROTTLED, Chatter, settings

from codewave.client import (
    Producer,
    ProducerFailedError,
    RetryableTransportError,
    kinesis_client_transport,
    kinesis_transport,
)

RECORDS = [("blue", b"1"), ("red", b"2")]


@pytest.fixture
def stub():
    client = boto3.client("kinesis", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield stubber


def test_records_go_in_order_and_codes_come_back_in_order(stub):
    stub.add_response(
        "put_records",
        {
            "FailedRecordCount": 1,
            "Records": [{"ErrorCode": THROTTLED, "ErrorMessage": "slow"}, {"SequenceNumber": "1", "ShardId": "s"}],
        },
        {
            "StreamName": "codewave-rooms",
            "Records": [{"PartitionKey": "blue", "Data": b"1"}, {"PartitionKey": "red", "Data": b"2"}],
        },
    )
    assert kinesis_client_transport(stub.client, "codewave-rooms")(RECORDS) == [THROTTLED, None]


@pytest.mark.parametrize(
    ("code", "status"),
    [(THROTTLED, 400), ("KMSThrottlingException", 400), ("InternalFailure", 500), ("ServiceUnavailable", 503)],
)
def test_throttling_and_server_errors_can_be_tried_again(stub, code, status):
    stub.add_client_error("put_records", code, "try later", status)
    with pytest.raises(RetryableTransportError) as caught:
        kinesis_client_transport(stub.client, "codewave-rooms")(RECORDS)
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"])
def test_an_error_that_no_retry_mends_reaches_the_caller_of_the_producer(stub, code):
    stub.add_client_error("put_records", code, "no such thing", 400)
    producer = Producer(kinesis_client_transport(stub.client, "codewave-rooms"), settings())
    producer.send(Chatter().message("blue"))
    with pytest.raises(ProducerFailedError, match=code) as caught:
        producer.flush(timeout_s=10)
    assert isinstance(caught.value.__cause__, ClientError)


def test_a_refused_connection_can_be_tried_again_and_was_tried_once():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]  # bound but not listening: connections are refused
        transport = kinesis_transport(f"http://127.0.0.1:{port}", "us-east-1", "codewave-rooms")
        with pytest.raises(RetryableTransportError) as caught:
            transport(RECORDS)
    assert caught.value.code == "EndpointConnectionError"


def test_a_connection_closed_without_an_answer_can_be_tried_again():

    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close_each() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection.recv(100))
                connection.close()

        threading.Thread(target=close_each, daemon=True).start()
        transport = kinesis_transport(f"http://127.0.0.1:{listener.getsockname()[1]}", "us-east-1", "codewave-rooms")
        with pytest.raises(RetryableTransportError):
            transport(RECORDS)
        listener.shutdown(socket.SHUT_RDWR)
    assert len(connections) == 1  # boto's own retries are off


def test_a_loopback_endpoint_never_sees_the_machines_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REALKEYREALKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    received = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def read_one() -> None:
            connection, _ = listener.accept()
            received.append(connection.recv(65_536))
            connection.close()

        reader = threading.Thread(target=read_one)
        reader.start()
        transport = kinesis_transport(f"http://127.0.0.1:{listener.getsockname()[1]}", "us-east-1", "codewave-rooms")
        with pytest.raises(RetryableTransportError):
            transport(RECORDS)
        reader.join(10)
    assert b"Credential=a/" in received[0]
    assert b"REALKEY" not in received[0]
