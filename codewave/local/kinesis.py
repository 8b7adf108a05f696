"""The stream emulator (kinesis-local on Node) and the streams of the namespaces.

Its records live in memory: they are gone when it stops. It can write them to a file, but it then encodes all of them
anew each time and answers nobody meanwhile; 60 MB of records kept it busy for minutes.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from codewave.errors import CodewaveError
from codewave.local import processes
from codewave.local.namespace import Namespace
from codewave.local.processes import ProcessSpec
from codewave.local.settings import LocalSettings

if TYPE_CHECKING:
    from botocore.client import BaseClient

NAME: Final = "kinesis"
REGION: Final = "us-east-1"
NOT_DURABLE: Final = "records in memory only, until `down`"

_LOOPBACK_PATCH: Final = Path(__file__).with_name("kinesis_loopback.cjs")
_START_DEADLINE_S: Final = 60.0
_STREAM_DEADLINE_S: Final = 30.0
_STOP_DEADLINE_S: Final = 1.0
"""It has nothing to save, and would otherwise wait up to 30 s for its clients to close their connections."""
_POLL_S: Final = 0.1
_SHARD_LIMIT: Final = "20000"
"""Of all streams together: the emulator's own is 50, an AWS account's in its large regions is this many.
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"""


def kinesis_client(settings: LocalSettings, *, retries: int = 3) -> "BaseClient":
    """A boto3 client of the emulator; the emulator takes any credentials."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "kinesis",
        endpoint_url=settings.kinesis_endpoint,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106 - the emulator checks none
        config=Config(connect_timeout=2, read_timeout=20, retries={"max_attempts": retries}),
    )


def start_kinesis(settings: LocalSettings) -> None:
    """Start the emulator and wait until it answers; nothing to do if it already does.

    :raises CodewaveError: if it is not installed, its port is in use, or it does not come up.
    """
    if processes.running_pid(settings, NAME):
        if kinesis_answers(settings):
            return
        stop_kinesis(settings)
    processes.start(settings, _spec(settings))
    processes.wait_until(settings, NAME, lambda: kinesis_answers(settings), _START_DEADLINE_S)


def stop_kinesis(settings: LocalSettings) -> bool:
    """Stop the emulator; returns whether it ran."""
    return processes.stop(settings, NAME, _STOP_DEADLINE_S)


def kinesis_answers(settings: LocalSettings) -> bool:
    """Whether the emulator answers a call."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        kinesis_client(settings, retries=0).list_streams(Limit=1)
    except (BotoCoreError, ClientError):
        return False
    return True


def create_stream(settings: LocalSettings, namespace: str, shards: int | None = None) -> bool:
    """Create the stream of a namespace and wait until it is active.

    :param shards: default ``settings.shards``.
    :returns: ``False`` if it was there already; its shards are left as they are.
    :raises CodewaveError: if it does not become active.
    """
    client, name = kinesis_client(settings), Namespace(namespace).stream
    try:
        client.create_stream(StreamName=name, ShardCount=shards or settings.shards)
        created = True
    except client.exceptions.ResourceInUseException:
        created = False
    _wait_for_status(settings, namespace, "ACTIVE")
    return created


def delete_stream(settings: LocalSettings, namespace: str) -> bool:
    """Delete the stream of a namespace and wait until it is gone; returns whether it was there."""
    if describe_stream(settings, namespace) is None:
        # The emulator answers that there is none, and all the same removes one that is made half a second later.
        return False
    kinesis_client(settings).delete_stream(StreamName=Namespace(namespace).stream, EnforceConsumerDeletion=True)
    _wait_for_status(settings, namespace, None)
    return True


def describe_stream(settings: LocalSettings, namespace: str) -> dict[str, Any] | None:
    """Kinesis' ``StreamDescriptionSummary`` of a namespace's stream, ``None`` if there is no such stream."""
    client = kinesis_client(settings)
    try:
        answer = client.describe_stream_summary(StreamName=Namespace(namespace).stream)
    except client.exceptions.ResourceNotFoundException:
        return None
    summary: dict[str, Any] = answer["StreamDescriptionSummary"]
    return summary


def _wait_for_status(settings: LocalSettings, namespace: str, wanted: str | None) -> None:
    give_up = time.monotonic() + _STREAM_DEADLINE_S
    while (stream := describe_stream(settings, namespace)) is not None or wanted is not None:
        status = stream["StreamStatus"] if stream else None
        if status == wanted:
            return
        if time.monotonic() > give_up:
            name = Namespace(namespace).stream
            raise CodewaveError(f"kinesis: stream {name} is {status or 'absent'}, not {wanted or 'deleted'}")
        time.sleep(_POLL_S)


def _spec(settings: LocalSettings) -> ProcessSpec:
    from codewave.local.toolchain import find_node, kinesis_folder

    return ProcessSpec(
        name=NAME,
        command=[str(find_node(settings)), "--require", str(_LOOPBACK_PATCH), "main.js"],
        folder=kinesis_folder(settings) / "node_modules" / "kinesis-local",  # it reads its certificate from there
        environment={
            "KINESIS_MOCK_PLAIN_PORT": str(settings.port("kinesis")),
            # It insists on a TLS port as well: any free one, that nobody is told.
            "KINESIS_MOCK_TLS_PORT": "0",
            "SHOULD_PERSIST_DATA": "false",
            "SHARD_LIMIT": _SHARD_LIMIT,
            "LOG_LEVEL": "WARN",
        },
        ports=("kinesis",),
    )
