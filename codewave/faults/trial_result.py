"""What a trial came to: the faults that were made, what was sent, and whether exactly that is stored."""

from msgspec import Struct

from codewave.faults.trial import Struck
from codewave.run.report import Report
from codewave.workload.truth import Truth


class Result(Struct, kw_only=True):
    """What ``codewave faults --json`` prints; fields may be added, none removed or renamed."""

    seed: int
    minutes: float
    faults: list[Struck]
    left_out: dict[str, str]
    """Faults that can't be made on this machine, and why."""
    revived: int
    """How often the job was resumed because it was gone, beside what the faults themselves do."""
    sent: int
    """Distinct real events."""
    received: int
    stored: int
    duplicate: int
    quarantined: int
    gaps: int
    difference: int
    closes: bool
    documents: int
    documents_verified: int
    seconds: float
    """From the first event until all were stored."""
    interrupted: bool
    problems: list[str]

    @property
    def good(self) -> bool:
        """Whether every planned fault was made and healed, and everything is stored exactly."""
        return self.closes and not self.interrupted and not any(fault.failed for fault in self.faults)


def result_of(  # noqa: PLR0913 - what a trial knows
    struck: list[Struck],
    truth: Truth,
    report: Report,
    *,
    seed: int,
    minutes: float,
    left_out: dict[str, str],
    revived: int,
    seconds: float,
    interrupted: bool,
) -> Result:
    """Put the result together."""
    return Result(
        seed=seed,
        minutes=minutes,
        faults=struck,
        left_out=left_out,
        revived=revived,
        sent=truth.events,
        received=report.received,
        stored=report.stored,
        duplicate=report.duplicate,
        quarantined=sum(report.quarantined.values()),
        gaps=report.gaps,
        difference=report.difference,
        closes=report.closes,
        documents=len(truth.documents),
        documents_verified=report.documents_verified,
        seconds=round(seconds, 1),
        interrupted=interrupted,
        problems=report.problems,
    )
