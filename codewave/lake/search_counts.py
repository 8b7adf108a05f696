"""What the search indices of a namespace hold, counted to be compared with the lake."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from codewave.lake.refused_documents import absent, refused_documents
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GAPS: Final = "gaps"
INDICES: Final = ("activity", "chat", "execution-logs", "executions", "quarantine", GAPS)
"""Indices that hold one document a row (an execution, of ``executions``), or of which one field sums up to it."""

_SUMMED: Final = {"activity": "operations"}


_STARTING_S: Final = 15.0
"""How long an index that has just been created may take until it can be searched."""


class IndexCount(Struct):
    """One index against what the lake holds."""

    index: str
    expected: int
    found: int
    refused: int = 0
    """Kept as refused, and not found."""
    taken_back: int = 0
    """Found, but not counted: gaps that the job declared before a restart and, going on from its checkpoint, did not
    declare again."""

    @property
    def closes(self) -> bool:
        """Whether nothing is missing and nothing too much."""
        return self.expected == self.found + self.refused


def index_pattern(namespace: str, index: str) -> str:
    """The daily indices of one kind; days begin with the century, so other namespaces' names do not match."""
    return f"{Namespace(namespace).index_prefix}{index}-2*"


def count_indices(
    settings: LocalSettings, namespace: str, since: datetime | None, expected: dict[str, int]
) -> list[IndexCount]:
    """Count what the indices hold.

    :param since: from its hour on, as the lake is counted.
    :param expected: rows by index, of :data:`INDICES`.
    :returns: one count for each index; none when OpenSearch does not answer or has no index of this namespace.
    """
    from codewave.local.opensearch import DEBUGGER, search_answers, search_client

    if not search_answers(settings):
        return []
    client = search_client(settings, DEBUGGER)
    start = since.replace(minute=0, second=0, microsecond=0) if since else None
    counts = {index: _count(client, namespace, index, start) for index in INDICES}
    refused = _refused(client, namespace, start)
    if all(count is None for count in counts.values()) and not refused:
        return []
    return [IndexCount(index, expected.get(index, 0), count or 0, refused[index]) for index, count in counts.items()]


def _is_starting(error: BaseException) -> bool:
    from opensearchpy.exceptions import TransportError

    return isinstance(error, TransportError) and error.status_code == 503


_patiently: Final = retry(
    retry=retry_if_exception(_is_starting), wait=wait_fixed(0.3), stop=stop_after_delay(_STARTING_S), reraise=True
)


@_patiently
def _count(client: "OpenSearch", namespace: str, index: str, since: datetime | None) -> int | None:
    body: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": {"match_all": {}}}
    if since:
        body["query"] = {"range": {"received_at": {"gte": since.isoformat()}}}
    if field := _SUMMED.get(index):
        body["aggs"] = {"events": {"sum": {"field": field}}}
    answer = client.search(index=index_pattern(namespace, index), body=body)
    if not answer["_shards"]["total"]:
        return None
    return int(answer["aggregations"]["events"]["value"] if field else answer["hits"]["total"]["value"])


def take_back_gaps(settings: LocalSettings, namespace: str, count: IndexCount, gap_ids: set[str]) -> None:
    """Set aside what ``count`` counted of the index of gaps that is no gap of the lake.

    What is written to an index stays there, also where the job fails before its next checkpoint. Going on from the one
    before, it finds the same events; but a gap that it had closed because a reader was silent is none if the reader
    speaks now.

    :param gap_ids: of the lake.
    """
    from opensearchpy.helpers import scan

    from codewave.local.opensearch import DEBUGGER, search_client

    pattern = index_pattern(namespace, GAPS)
    hits = scan(search_client(settings, DEBUGGER), index=pattern, query={"_source": False})
    count.taken_back = len({hit["_id"] for hit in hits} - gap_ids)
    count.found -= count.taken_back


@_patiently
def _refused(client: "OpenSearch", namespace: str, since: datetime | None) -> Counter[str]:
    """What was refused and is not there, by index, counted as what is found is."""
    counts: Counter[str] = Counter()
    prefix = Namespace(namespace).index_prefix
    for one in absent(client, refused_documents(client, namespace)):
        kind = one.index.removeprefix(prefix).rpartition("-")[0]
        if kind in INDICES and (since is None or datetime.fromisoformat(one.document["received_at"]) >= since):
            counts[kind] += one.document[_SUMMED[kind]] if kind in _SUMMED else 1
    return counts
