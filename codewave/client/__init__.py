"""The client library: web backends and workers put their events on the stream with it."""

from codewave.client.counters import Counters
from codewave.client.errors import (
    BufferFullError,
    EventTooLargeError,
    FlushTimeoutError,
    ProducerClosedError,
    ProducerFailedError,
    RetryableTransportError,
    UndeliveredError,
)
from codewave.client.identity import new_collector_id, new_event_id, uuid7
from codewave.client.kinesis import kinesis_client_transport, kinesis_transport
from codewave.client.producer import Producer
from codewave.client.sender import Transport
from codewave.client.settings import ProducerSettings
from codewave.client.split import split_edit, split_output
from codewave.client.writer import EventWriter, SequenceNumbers

__all__ = [
    "BufferFullError",
    "Counters",
    "EventTooLargeError",
    "EventWriter",
    "FlushTimeoutError",
    "Producer",
    "ProducerClosedError",
    "ProducerFailedError",
    "ProducerSettings",
    "RetryableTransportError",
    "SequenceNumbers",
    "Transport",
    "UndeliveredError",
    "kinesis_client_transport",
    "kinesis_transport",
    "new_collector_id",
    "new_event_id",
    "split_edit",
    "split_output",
    "uuid7",
]
