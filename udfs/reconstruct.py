"""Reconstructing a document's text from its edits, at any sequence, with its checksums verified."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from msgspec import Struct

from codewave.contract.events import Patch
from codewave.contract.text import PatchRangeError, apply_patches, checksum_of

MAX_PROBLEMS: Final = 100
"""Problems told one by one; one lost edit can make every later checksum wrong."""


class Operation(Struct, frozen=True, gc=False):
    """One stored edit."""

    sequence: int
    patches: Sequence[Patch]
    checksum: int | None = None
    """CRC-32 of the UTF-8 text after this edit, if the writer gave it."""


class Reconstruction(Struct, kw_only=True):
    """A document's text after its last applied edit, and everything that speaks against it."""

    text: str = ""
    last_sequence: int = 0
    """Of the last edit applied; 0 for none."""
    operations: int = 0
    """Edits applied."""
    checksums_verified: int = 0
    problems: list[str] = []
    """In the order of the sequences: missing sequences, patches out of range, checksums that differ."""
    problems_left_out: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against the text."""
        return not self.problems

    @property
    def sha256(self) -> str:
        """Of the text in UTF-8, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def _report(self, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.problems_left_out += 1


def reconstruct(
    operations: Iterable[Operation], at: int | None = None, other_sequences: Collection[int] = ()
) -> Reconstruction:
    """Apply a document's edits in the order of their sequences.

    :param operations: the document's stored edits, in any order.
    :param at: the sequence to stop after; default the last one there is.
    :param other_sequences: sequences of the document's ordering key that are no edits (opened, closed, snapshotted):
        they are not missed.
    :returns: the text and its problems. A missing sequence or a wrong checksum is reported and the edits after it
        are applied all the same; at a patch out of range the text stays as it was before that edit, and it ends there.
    """
    result = Reconstruction(problems=[])
    edits = sorted((edit for edit in operations if at is None or edit.sequence <= at), key=lambda edit: edit.sequence)
    others = sorted(sequence for sequence in set(other_sequences) if at is None or sequence <= at)
    _report_gaps(result, edits, others, at)
    for edit in edits:
        if edit.sequence == result.last_sequence:
            result._report(f"sequence {edit.sequence}: stored twice; the second one was not applied")
        elif not _apply(result, edit):
            break
    return result


def _report_gaps(result: Reconstruction, edits: list[Operation], others: list[int], at: int | None) -> None:
    expected = 1
    for sequence in sorted([*(edit.sequence for edit in edits), *others]):
        if sequence > expected:
            result._report(_missing(expected, sequence - 1))
        expected = max(expected, sequence + 1)
    if at is not None and at >= expected:
        result._report(_missing(expected, at))


def _missing(first: int, last: int) -> str:
    return f"sequence {first}: missing" if first == last else f"sequences {first} to {last}: missing"


def _apply(result: Reconstruction, edit: Operation) -> bool:
    try:
        text = apply_patches(result.text, edit.patches)
    except PatchRangeError as error:
        result._report(f"sequence {edit.sequence}: {error}; edits from here on were not applied")
        return False
    result.text = text
    result.last_sequence = edit.sequence
    result.operations += 1
    if edit.checksum is not None:
        _verify(result, edit.sequence, edit.checksum)
    return True


def _verify(result: Reconstruction, sequence: int, checksum: int) -> None:
    found = checksum_of(result.text)
    if found == checksum:
        result.checksums_verified += 1
    else:
        result._report(f"sequence {sequence}: checksum {found}, the writer's is {checksum}")
