"""What was sent against what is stored: the truth of a workload, key by key."""

from typing import Final

from codewave.workload.truth import Truth

_NOTHING: Final = (0, 0)


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
