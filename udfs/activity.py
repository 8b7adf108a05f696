"""Bursts: one user's accepted operations on one document in one record, as the ``activity`` index shows them."""

from collections.abc import Iterable

from codewave.contract.events import DocumentEdited
from udfs.rows import ActivityRow


def bursts(edits: Iterable[DocumentEdited], preview_characters: int) -> list[ActivityRow]:
    """The bursts of a record's accepted edits, which are in the order in which they came."""
    found: dict[tuple[str, str], ActivityRow] = {}
    for edit in edits:
        of = (edit.payload.document_id, edit.user_id)
        burst = found.get(of)
        if burst is None:
            burst = found[of] = _new_burst(edit)
        _add(burst, edit, preview_characters)
    return list(found.values())


def _add(burst: ActivityRow, edit: DocumentEdited, preview_characters: int) -> None:
    for _, deleted, inserted in edit.payload.patches:
        burst.characters_inserted += len(inserted)
        burst.characters_deleted += deleted
        if len(burst.preview) < preview_characters:
            burst.preview += inserted[: preview_characters - len(burst.preview)]
    burst.operations += 1
    burst.first_sequence = min(burst.first_sequence, edit.sequence)
    burst.last_sequence = max(burst.last_sequence, edit.sequence)
    burst.received_at = max(burst.received_at, edit.received_at)


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
