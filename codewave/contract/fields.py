"""The field types of the event contract, each with its bounds and its classification.

A classification says what a field reveals, and with it who may read it and what an erasure must remove:

- ``metadata``: says nothing of a person (ids of rooms and documents, counters, times);
- ``personal``: points to a person (user and session ids and the ordering keys and writers made of them, names);
- ``user_content``: what a person wrote (edits, messages, program output).
"""

from typing import Annotated, Final, Literal

from msgspec import Meta

Classification = Literal["metadata", "personal", "user_content"]

MAX_INT: Final = 2**63 - 1
"""Largest integer of the contract: a signed 64-bit number, as Iceberg, Flink and OpenSearch store it."""

MAX_MILLIS: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last instant that every store of the pipeline can hold."""

ID_PATTERN: Final = "^[A-Za-z0-9_-]{1,64}$"
EVENT_ID_PATTERN: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
ORDERING_KEY_PATTERN: Final = "^(document|session|execution):[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64})?$"


def _pattern(regex: str) -> dict[str, str]:
    # Published in the JSON Schema only: the stream checks the same rule without regular expressions (udfs.decode).
    return {"pattern": regex}


_METADATA: Final = {"classification": "metadata"}
_PERSONAL: Final = {"classification": "personal"}
_CONTENT: Final = {"classification": "user_content"}

EventId = Annotated[
    str, Meta(min_length=36, max_length=36, extra=_METADATA, extra_json_schema=_pattern(EVENT_ID_PATTERN))
]
Id = Annotated[str, Meta(min_length=1, max_length=64, extra=_METADATA, extra_json_schema=_pattern(ID_PATTERN))]
PersonalId = Annotated[str, Meta(min_length=1, max_length=64, extra=_PERSONAL, extra_json_schema=_pattern(ID_PATTERN))]
OrderingKey = Annotated[
    str, Meta(min_length=1, max_length=139, extra=_PERSONAL, extra_json_schema=_pattern(ORDERING_KEY_PATTERN))
]
Version = Annotated[int, Meta(ge=1, le=MAX_INT, extra=_METADATA)]
Sequence = Annotated[int, Meta(ge=1, le=MAX_INT, extra=_METADATA)]
Count = Annotated[int, Meta(ge=0, le=MAX_INT, extra=_METADATA)]
Integer = Annotated[int, Meta(ge=-MAX_INT - 1, le=MAX_INT, extra=_METADATA)]
Millis = Annotated[int, Meta(ge=0, le=MAX_MILLIS, extra=_METADATA)]
Crc32 = Annotated[int, Meta(ge=0, le=2**32 - 1, extra=_METADATA)]
Label = Annotated[str, Meta(max_length=256, extra=_METADATA)]
"""A short technical name: a language, an image, a reason."""
PersonalText = Annotated[str, Meta(max_length=256, extra=_PERSONAL)]
Text = Annotated[str, Meta(extra=_CONTENT)]
"""What a person wrote; bounded by the size limit of the event as a whole."""
