"""The transport to Kinesis: PutRecords, with its errors told apart into those worth a retry and the rest."""

from typing import Any, Final
from urllib.parse import urlsplit

from codewave.client.errors import RetryableTransportError
from codewave.client.sender import THROTTLING_CODES, Transport

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 15
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LOCAL_KEYS: Final = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
"""What an emulator gets in place of real credentials."""
_RETRYABLE_CODES: Final = THROTTLING_CODES | {"ExpiredTokenException", "ExpiredToken", "RequestExpired"}
"""Expired credentials mend themselves when the client has fetched new ones."""


def kinesis_transport(endpoint: str | None, region: str, stream: str) -> Transport:
    """A transport to the stream ``stream``, with a boto3 client of its own.

    :param endpoint: URL of an emulator; ``None``: AWS. A loopback endpoint never sees the machine's credentials.
    :param region: AWS region.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1},  # the producer retries, record by record
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        tcp_keepalive=True,
    )
    local = endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK
    client = boto3.client(
        "kinesis", endpoint_url=endpoint, region_name=region, config=config, **(_LOCAL_KEYS if local else {})
    )
    return kinesis_client_transport(client, stream)


def kinesis_client_transport(client: Any, stream: str) -> Transport:
    """A transport to the stream ``stream`` through a boto3 Kinesis client; switch the client's own retries off."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's name

    def put(records: list[tuple[str, bytes]]) -> list[str | None]:
        entries = [{"PartitionKey": key, "Data": data} for key, data in records]
        try:
            answer = client.put_records(StreamName=stream, Records=entries)
        except ClientError as error:
            raise _retryable(error) or error from None
        except (ConnectionError, HTTPClientError) as error:
            raise RetryableTransportError(type(error).__name__, str(error)) from error
        return [record.get("ErrorCode") for record in answer["Records"]]

    return put


def _retryable(error: Any) -> RetryableTransportError | None:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _RETRYABLE_CODES or status == 429 or status >= 500:
        return RetryableTransportError(code, str(error))
    return None
