"""Bursts: one user's accepted operations on one document in one record, as the ``activity`` index shows them."""

from codewave.contract.events import DocumentEdited
from udfs.rows import ActivityRow


def add_to_burst(bursts: dict[tuple[str, str], ActivityRow], event: DocumentEdited, preview_characters: int) -> None:
    """Count an accepted edit in the burst of its document and user."""
    payload = event.payload
    burst = bursts.get((payload.document_id, event.user_id))
    if burst is None:
        burst = bursts[payload.document_id, event.user_id] = _new_burst(event)
    for _, deleted, inserted in payload.patches:
        burst.characters_inserted += len(inserted)
        burst.characters_deleted += deleted
        if len(burst.preview) < preview_characters:
            burst.preview += inserted[: preview_characters - len(burst.preview)]
    burst.operations += 1
    burst.first_sequence = min(burst.first_sequence, event.sequence)
    burst.last_sequence = max(burst.last_sequence, event.sequence)
    burst.received_at = max(burst.received_at, event.received_at)


def _new_burst(event: DocumentEdited) -> ActivityRow:
    return ActivityRow(
        activity_id=event.event_id,  # of the burst's first operation: the same whenever the record is read again
        room_id=event.room_id,
        document_id=event.payload.document_id,
        user_id=event.user_id,
        session_id=event.session_id,
        operations=0,
        characters_inserted=0,
        characters_deleted=0,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        preview="",
        occurred_at=event.occurred_at,
        received_at=event.received_at,
    )
