"""A document's text, rebuilt from the edits that the lake holds."""

import re
from typing import Any, Final

from codewave.contract.fields import ID_PATTERN
from codewave.errors import CodewaveError, WrongUseError
from iceberg.engine import Engine
from udfs.reconstruct import Operation, Reconstruction, reconstruct

_EDITS: Final = """
SELECT DISTINCT ordering_key, sequence, patches, checksum, event_id
FROM document_operations
WHERE document_id = '{document_id}'
"""
_OTHERS: Final = "SELECT DISTINCT sequence FROM presence_events WHERE ordering_key = 'document:{document_id}'"


def read_document(engine: Engine, document_id: str, at: int | None = None) -> Reconstruction:
    """Rebuild a document from ``document_operations``.

    Opened, closed and snapshotted events count along the same sequence; they are in ``presence_events``.

    :param at: the sequence to stop after; default the last one stored.
    :raises WrongUseError: for an id or a sequence that cannot be.
    :raises CodewaveError: if the lake has no edit of it, or if several writers number their own edits (CRDT): one
        sequence cannot order those.
    """
    _check(document_id, at)
    edits = engine.query(_EDITS.format(document_id=document_id)).rows
    if not edits:
        raise CodewaveError(f"document {document_id}: the lake has no edit of it (yet: a checkpoint takes seconds)")
    if {row[0] for row in edits} != {f"document:{document_id}"}:
        raise CodewaveError(f"document {document_id}: several writers number its edits; no one sequence orders them")
    others = engine.query(_OTHERS.format(document_id=document_id)).rows
    return reconstruct([_operation(row) for row in edits], at, {row[0] for row in others})


def _check(document_id: str, at: int | None) -> None:
    if not re.fullmatch(ID_PATTERN, document_id):
        raise WrongUseError(f"document {document_id[:80]!r}: an id is 1 to 64 of A-Z a-z 0-9 _ -")
    if at is not None and at < 1:
        raise WrongUseError(f"document {document_id}: sequences start at 1, not {at}")


def _operation(row: list[Any]) -> Operation:
    _, sequence, patches, checksum, _ = row
    return Operation(
        sequence, [(patch["position"], patch["deleted"], patch["inserted"]) for patch in patches], checksum
    )
