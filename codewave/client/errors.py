"""What a caller of the client library may have to handle."""

from codewave.errors import CodewaveError, WrongUseError


class EventTooLargeError(WrongUseError):
    """An event or record is above its size limit; nothing of it was buffered."""


class ProducerClosedError(WrongUseError):
    """The producer was closed, or belongs to the process this one was forked from."""


class BufferFullError(CodewaveError):
    """The buffer stayed full for ``send_timeout_s``; the event was not taken and can be sent again."""


class FlushTimeoutError(CodewaveError):
    """A flush did not end in time; what it waited for stays buffered and goes on being sent."""


class UndeliveredError(CodewaveError):
    """Events were given up: their delivery timeout passed, or the producer was closed before they could go.

    ``events`` and ``records`` count them (a ready record counts as one event), ``rooms`` names their rooms, up to
    1,000.
    An event whose call got no answer counts as undelivered although the stream may have it.
    """

    def __init__(self, message: str, *, events: int, records: int, rooms: tuple[str, ...]) -> None:
        super().__init__(message)
        self.events = events
        self.records = records
        self.rooms = rooms


class ProducerFailedError(CodewaveError):
    """A sender thread ended with an error that no retry mends: make a new producer. The cause is ``__cause__``.

    ``events`` counts what was still buffered.
    """

    def __init__(self, message: str, *, events: int) -> None:
        super().__init__(message)
        self.events = events


class RetryableTransportError(CodewaveError):
    """Raised by a transport when a whole call failed in a way that trying again can mend; ``code`` says which."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
