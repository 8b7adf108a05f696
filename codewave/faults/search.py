"""Faults of OpenSearch: gone, frozen, slow, too busy, without an answer, and refusing single documents."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

from msgspec import Struct, structs

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.faults.proxy import Answer, Ask, HangupError, Request, Rule, delayed
from codewave.lake.refused_documents import REFUSED
from codewave.local import opensearch_node, processes
from codewave.local.settings import LocalSettings

TOO_MANY: Final = "rejected_execution_exception"
"""What a node answers, for a bulk or for a document of it, whose queue is full; status 429."""
UNFIT: Final = "mapper_parsing_exception"
"""What it answers for a document that does not fit the index; status 400."""

_OUTAGE_S: Final = 60.0
_SLOWNESS_S: Final = 30.0
_DELAY_S: Final = 5.0
_SHARE: Final = 0.3
_REFUSED_SHARE: Final = 0.02


class Item(Struct, frozen=True):
    """One document of a bulk request."""

    action: str
    index: str
    id: str
    lines: bytes
    """As they stand in the request."""

    def failed(self, status: int, error: str) -> dict[str, Any]:
        """The answer that OpenSearch gives where it does not take the document."""
        told = {"type": error, "reason": f"[{self.id}] as a fault says"}
        return {self.action: {"_index": self.index, "_id": self.id, "status": status, "error": told}}


def is_bulk(request: Request) -> bool:
    """Whether documents are sent."""
    return request.path.partition("?")[0] == "/_bulk"


def items_of(body: bytes) -> list[Item]:
    """The documents of a bulk request of index, create and update actions, in their order."""
    lines = body.splitlines(keepends=True)
    found = []
    for action, document in zip(lines[::2], lines[1::2], strict=True):
        ((kind, place),) = json.loads(action).items()
        found.append(Item(kind, place["_index"], place["_id"], action + document))
    return found


def rejected_whole(share: float, random: Random) -> Rule:
    """A rule by which a share of the bulks is refused as too many."""
    error = {"type": TOO_MANY, "reason": "as a fault says"}
    body = json.dumps({"error": error | {"root_cause": [error]}, "status": 429}).encode()
    draw = _Draw(random)

    def rule(request: Request, ask: Ask) -> Answer:
        if is_bulk(request) and draw(share):
            return Answer(429, body, {"Content-Type": "application/json"})
        return ask()

    return rule


def items_failed(chosen: Callable[[Item], bool], status: int, error: str) -> Rule:
    """A rule by which the chosen documents of every bulk fail, and the others go to OpenSearch."""

    def rule(request: Request, ask: Ask) -> Answer:
        items = items_of(request.body) if is_bulk(request) else []
        failed = [chosen(item) for item in items]
        if not any(failed):
            return ask()
        told: dict[str, Any] = {"took": 0, "items": []}
        if not all(failed):
            passed = b"".join(item.lines for item, fails in zip(items, failed, strict=True) if not fails)
            answer = ask(structs.replace(request, body=passed))
            if answer.status != 200:
                return answer
            told = json.loads(answer.body)
        taken = iter(told["items"])
        merged = [
            item.failed(status, error) if fails else next(taken) for item, fails in zip(items, failed, strict=True)
        ]
        body = json.dumps(told | {"errors": True, "items": merged}).encode()
        return Answer(200, body, {"Content-Type": "application/json"})

    return rule


def unanswered(share: float, random: Random) -> Rule:
    """A rule by which a share of the bulks is carried out, but the connection ends without an answer."""
    draw = _Draw(random)

    def rule(request: Request, ask: Ask) -> Answer:
        answer = ask()
        if is_bulk(request) and draw(share):
            raise HangupError
        return answer

    return rule


def kill(settings: LocalSettings) -> None:
    """Kill the node, as a crash would.

    :raises CodewaveError: if it does not run.
    """
    _signal(settings, signal.SIGKILL)
    # Nothing is left to stop; its ports are free once its last thread has ended.
    processes.stop(settings, opensearch_node.NAME)


def search_down(scene: Scene, seconds: float) -> str:
    """Kill the node, and start it again after a while."""
    kill(scene.settings)
    try:
        time.sleep(seconds)
    finally:
        opensearch_node.start_opensearch(scene.settings)
    return f"OpenSearch was killed and {seconds:.0f} s later started again"


def search_frozen(scene: Scene, seconds: float) -> str:
    """Stop the node's process, so that it takes connections and answers none, and let it go on."""
    _signal(scene.settings, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        _signal(scene.settings, signal.SIGCONT)
    return f"OpenSearch stood still for {seconds:.0f} s"


def search_slow(scene: Scene, seconds: float) -> str:
    """Delay every bulk."""
    _rule_for(scene, seconds, delayed(_DELAY_S, is_bulk))
    return f"every bulk took {_DELAY_S:.0f} s longer, for {seconds:.0f} s"


def search_rejecting(scene: Scene, seconds: float) -> str:
    """Refuse a share of the bulks, then a share of the documents in all bulks, as too many."""
    _rule_for(scene, seconds / 2, rejected_whole(_SHARE, _random(scene)))
    draw = _Draw(_random(scene))
    _rule_for(scene, seconds / 2, items_failed(lambda _: draw(_SHARE), 429, TOO_MANY))
    return f"{_SHARE:.0%} of the bulks, then of the documents, were rejected as too many"


def search_refusing(scene: Scene, seconds: float) -> str:
    """Refuse a share of the documents for their content."""
    draw = _Draw(_random(scene))
    kept = f"{scene.namespace.index_prefix}{REFUSED}-"
    refused: set[tuple[str, str]] = set()

    def chosen(item: Item) -> bool:
        if item.index.startswith(kept) or not draw(_REFUSED_SHARE):
            return False
        refused.add((item.index, item.id))
        return True

    _rule_for(scene, seconds, items_failed(chosen, 400, UNFIT))
    return f"{len(refused)} documents were refused for their content"


def search_unanswering(scene: Scene, seconds: float) -> str:
    """Carry out a share of the bulks without an answer: the job sends them again."""
    _rule_for(scene, seconds, unanswered(_SHARE, _random(scene)))
    return f"{_SHARE:.0%} of the bulks were carried out and not answered"


class _Draw:
    """Whether something that happens to a share of all meets this one; for several threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = threading.Lock()

    def __call__(self, share: float) -> bool:
        with self._lock:
            return self._random.random() < share


def _rule_for(scene: Scene, seconds: float, rule: Rule) -> None:
    with scene.proxies.search.ruled(rule):
        time.sleep(seconds)


def _random(scene: Scene) -> Random:
    """One of its own: requests of other threads must not change what the schedule draws."""
    return Random(scene.random.random())  # noqa: S311 - draws faults, not keys


def _signal(settings: LocalSettings, number: signal.Signals) -> None:
    pid = processes.running_pid(settings, opensearch_node.NAME)
    if pid is None:
        raise CodewaveError("faults: OpenSearch does not run; start it with `codewave up`")
    os.kill(pid, number)


SEARCH_FAULTS: Final = (
    Fault(
        name="kill-search",
        summary="kill -9 of OpenSearch, which is started again after a while",
        strike=search_down,
        longest_s=_OUTAGE_S,
    ),
    Fault(
        name="freeze-search",
        summary="OpenSearch takes connections and does not answer",
        strike=search_frozen,
        longest_s=_SLOWNESS_S,
    ),
    Fault(
        name="slow-search",
        summary="OpenSearch takes seconds for every bulk",
        strike=search_slow,
        longest_s=_SLOWNESS_S,
    ),
    Fault(
        name="reject-search",
        summary="OpenSearch refuses bulks, and documents in bulks, as too many",
        strike=search_rejecting,
        longest_s=_SLOWNESS_S,
    ),
    Fault(
        name="refuse-search",
        summary="OpenSearch refuses documents for their content",
        strike=search_refusing,
        longest_s=_SLOWNESS_S,
    ),
    Fault(
        name="unanswered-search",
        summary="OpenSearch carries bulks out and does not answer",
        strike=search_unanswering,
        longest_s=_SLOWNESS_S,
    ),
)
