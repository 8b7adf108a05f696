"""Why an event or record is refused: the closed list of quarantine reasons."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason of the contract; its value is what ``quarantined_events.reason`` holds."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    BAD_FRAME = "bad_frame"
    DECOMPRESSION_FAILED = "decompression_failed"
    DECOMPRESSION_BOMB = "decompression_bomb"
    TOO_LARGE = "too_large"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    SCHEMA_VIOLATION = "schema_violation"
    WRONG_ROOM = "wrong_room"
    WRONG_ORDERING_KEY = "wrong_ordering_key"
    SEQUENCE_CONFLICT = "sequence_conflict"
    TOO_LATE = "too_late"
    OPERATOR_FAILED = "operator_failed"


class Flag(StrEnum):
    """What is noted about an event that is kept."""

    CLOCK_SKEW = "clock_skew"
    LATE = "late"
