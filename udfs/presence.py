"""The live state of a room: who is there, where their cursors are, what runs, when something last happened."""

from msgspec import Struct

from codewave.contract import events as e
from udfs.rows import PresentRow, RoomRow
from udfs.rules import Rules


class Present(Struct, array_like=True, gc=False):
    """A session in the room."""

    user_id: str
    document_id: str | None
    position: int | None
    last_seen_at: int


class LiveRoom(Struct, array_like=True, gc=False):
    """What the ``rooms`` index shows; bounded by the rules."""

    present: dict[str, Present] = {}
    running: dict[str, int] = {}
    """Execution id → when it was queued or started."""
    last_activity_at: int = 0
    updated_at: int = 0
    """The room's clock at the last update of the live document."""


def observe(room: LiveRoom, event: e.AnyEvent, clock: int, rules: Rules) -> None:
    """Take an accepted event into the live state.

    :param clock: the room's clock, ms since epoch: by it sessions fall silent, whatever their own clocks say.
    """
    room.last_activity_at = max(room.last_activity_at, clock)
    if isinstance(event, e.PresenceLeft):
        room.present.pop(event.session_id, None)
        return
    if isinstance(event, e.ExecutionQueued | e.ExecutionStarted | e.ExecutionOutput | e.ExecutionFinished):
        _observe_execution(room, event, rules)
        return
    session = room.present.get(event.session_id)
    if session is None:
        if len(room.present) >= rules.present_sessions:
            return
        session = room.present[event.session_id] = Present(event.user_id, None, None, clock)
    session.last_seen_at = clock
    if isinstance(event, e.CursorMoved):
        session.document_id, session.position = event.payload.document_id, event.payload.position
    elif isinstance(event, e.DocumentOpened | e.DocumentEdited):
        session.document_id = event.payload.document_id


def _observe_execution(
    room: LiveRoom,
    event: e.ExecutionQueued | e.ExecutionStarted | e.ExecutionOutput | e.ExecutionFinished,
    rules: Rules,
) -> None:
    execution_id = event.payload.execution_id
    if isinstance(event, e.ExecutionFinished):
        room.running.pop(execution_id, None)
    elif not isinstance(event, e.ExecutionOutput) and len(room.running) < rules.running_executions:
        room.running[execution_id] = event.occurred_at


def live_row(room: LiveRoom, room_id: str, clock: int, now_ms: int, rules: Rules) -> RoomRow:
    """The room's live document; sessions silent for longer than the timeout are let go first.

    :param clock: the room's clock, ms since epoch.
    """
    silent_since = room.last_activity_at - rules.presence_timeout_ms
    gone = [key for key, session in room.present.items() if session.last_seen_at < silent_since]
    for key in gone:
        del room.present[key]
    room.updated_at = clock
    return RoomRow(
        room_id=room_id,
        present=[
            PresentRow(key, session.user_id, session.document_id, session.position, session.last_seen_at)
            for key, session in sorted(room.present.items())
        ],
        present_count=len(room.present),
        running_executions=sorted(room.running),
        last_activity_at=room.last_activity_at,
        updated_at=now_ms,
        lag_ms=max(0, now_ms - clock),
    )
