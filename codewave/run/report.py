"""The report on a run, ``report.json``: what was stored of what was sent, and whether every document is right."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.lake.documents import read_document
from codewave.lake.reconcile import Reconciliation
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.run.ledger import LedgerReport
from codewave.workload.truth import DocumentTruth, Truth
from iceberg.engine import Engine, local_engine

_PROBLEMS: Final = 20


class Report(Struct, kw_only=True):
    """``report.json``; fields may be added, none removed or renamed."""

    closes: bool
    """Counts close, they are the truth's, indices hold the same, every document is right, and so is the ledger."""
    difference: int
    received: int
    stored: int
    duplicate: int
    quarantined: dict[str, int]
    gaps: int
    documents_verified: int
    stored_by_type: dict[str, int]
    problems: list[str]
    events_per_second: float = 0.0
    """Real events over the time from the first one sent until all were stored."""
    setup_seconds: float = 0.0
    seconds_to_first_event: float | None = None
    """From the command's start, the set-up before it left out, until the first event could be searched."""
    ledger: LedgerReport | None = None
    """What the DAGs made of what was stored."""

    def add_ledger(self, ledger: LedgerReport) -> None:
        """Note what the DAGs made of what was stored; what is wrong with it counts as a difference."""
        self.ledger = ledger
        self.problems = [*self.problems, *ledger.problems][:_PROBLEMS]
        self.difference += len(ledger.problems)
        self.closes = self.closes and not ledger.problems


def report_on(settings: LocalSettings, namespace: Namespace, truth: Truth, result: Reconciliation) -> Report:
    """Rebuild every document of a finished run and put the report together."""
    engine = local_engine(settings, namespace.name)
    lost = set(truth.documents_unverifiable)
    wrong = [
        problem
        for document in truth.documents
        if document.document_id not in lost and (problem := _problem(engine, document))
    ]
    search = [
        f"search index {count.index}: {count.found} and {count.refused} refused of {count.expected}"
        for count in result.search
        if not count.closes
    ]
    if truth.received and not result.search:
        search = ["search: OpenSearch does not answer, or has no index of this namespace"]
    extra = _beyond(truth, result)
    problems = [*extra, *result.problems, *search, *wrong]
    return Report(
        closes=result.closes and not problems,
        difference=result.difference + len(wrong) + len(search) + len(extra),
        received=result.received,
        stored=result.stored,
        duplicate=result.duplicate,
        quarantined=result.quarantined,
        gaps=result.gaps,
        documents_verified=len(truth.documents) - len(lost) - len(wrong),
        stored_by_type=_stored_by_type(result),
        problems=problems[:_PROBLEMS],
    )


def write_report(report: Report, file: Path) -> None:
    """Write ``report.json``."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _beyond(truth: Truth, result: Reconciliation) -> list[str]:
    """What is stored or refused beyond the truth; a retry that arrives twice brings duplicates, and refusals again."""
    refused, expected = sum(result.quarantined.values()), sum(truth.quarantined.values())
    found = []
    if result.stored != truth.events:
        found.append(f"{result.stored} stored of {truth.events} sent")
    if not expected <= refused <= expected + result.refused_again:
        found.append(f"{refused} quarantined, {expected} expected")
    return found


def _stored_by_type(result: Reconciliation) -> dict[str, int]:
    stored: dict[str, int] = {}
    for row in result.rows:
        if row.events_held:
            stored[row.type] = stored.get(row.type, 0) + row.events_held
    return stored


def _problem(engine: Engine, expected: DocumentTruth) -> str | None:
    try:
        found = read_document(engine, expected.document_id)
    except CodewaveError as error:
        return str(error)
    if not found.sound:
        return f"document {expected.document_id}: {found.problems[0]}"
    if found.sha256 != expected.sha256:
        return f"document {expected.document_id}: the text differs from what was written"
    return None
