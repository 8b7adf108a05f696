"""What was sent against what is stored: the truth of a workload, key by key."""

from collections import Counter
from typing import Final

from msgspec import Struct

from codewave.workload.truth import Truth

_NOTHING: Final = (0, 0)
_EXECUTION: Final = "execution:"


class LatestOutcome(Struct, frozen=True, gc=False):
    """What the latest outcome row of an execution says; a row of ``latest_outcomes.sql``."""

    execution_id: str
    outcome: str
    decided_by: str
    cpu_ms: int
    wall_ms: int


def compare_with_truth(
    truth: Truth, received: int, quarantined: dict[str, int], stored: dict[str, tuple[int, int]]
) -> tuple[int, list[str]]:
    """What a truth names and the lake does not hold.

    A namespace may hold other workloads too and a retry may arrive twice, so totals must reach the truth's; ordering
    keys belong to one workload, so their counts and last sequences must be the truth's.

    :param received: events that the audit counted.
    :param quarantined: refused events by reason.
    :param stored: per ordering key how many distinct events and the last sequence.
    :returns: by how many events they differ, and each difference in words.
    """
    keys = _differing_keys(truth, stored)
    refusals = _missing_refusals(truth, quarantined)
    problems = list(refusals | keys)
    missing = max(0, truth.received - received)
    if missing:
        problems.insert(0, f"{received} received of {truth.received} sent")
    # What was never received is missing from its key too: not counted twice.
    return max(missing, sum(keys.values()) + sum(refusals.values())), problems


def compare_outcomes(truth: Truth, latest: list[LatestOutcome]) -> tuple[int, list[str]]:
    """What a truth says of its executions and the outcomes do not.

    Executions of other workloads are left out, and the rest must be the truth's; where the truth names too few of
    its executions to tell them apart, all together must reach what it says.

    :param latest: one for each execution.
    :returns: by how many executions they differ, at least by one a problem, and each difference in words.
    """
    exactly = not truth.keys_left_out
    ours = [one for one in latest if not exactly or f"{_EXECUTION}{one.execution_id}" in truth.keys]
    told = [one for one in ours if one.decided_by == "event"]
    outcomes = Counter(one.outcome for one in told)
    found = {f"executions {name}": (count, outcomes[name]) for name, count in truth.finished.items()}
    found |= {f"executions {name}": (0, count) for name, count in outcomes.items() if name not in truth.finished}
    sums = {
        "cpu_ms": (truth.cpu_ms, sum(one.cpu_ms for one in told)),
        "wall_ms": (truth.wall_ms, sum(one.wall_ms for one in told)),
    }
    problems = {
        f"{name}: {sent} by what was sent, {there} by the outcomes": abs(sent - there) if name not in sums else 1
        for name, (sent, there) in (found | sums).items()
        if there < sent or (exactly and there > sent)
    }
    lost = len(ours) - len(told)
    if exactly and lost > truth.unfinished:
        problems[f"{lost} executions taken for lost, {truth.unfinished} sent unfinished"] = lost - truth.unfinished
    return sum(problems.values()), list(problems)


def _missing_refusals(truth: Truth, quarantined: dict[str, int]) -> dict[str, int]:
    return {
        f"{quarantined.get(reason, 0)} refused as {reason} of {expected} sent": expected - quarantined.get(reason, 0)
        for reason, expected in truth.quarantined.items()
        if quarantined.get(reason, 0) < expected
    }


def _differing_keys(truth: Truth, stored: dict[str, tuple[int, int]]) -> dict[str, int]:
    found = {}
    for key, sent in truth.keys.items():
        there = stored.get(key, _NOTHING)
        if difference := _difference(sent, there):
            found[f"{key}: {_words(sent)} sent, {_words(there)} stored"] = difference
    return found


def _difference(sent: tuple[int, int], stored: tuple[int, int]) -> int:
    if sent == stored:
        return 0
    return abs(sent[0] - stored[0]) or 1


def _words(counts: tuple[int, int]) -> str:
    return f"{counts[0]} events up to {counts[1]}"
