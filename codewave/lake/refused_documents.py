"""Documents that OpenSearch refused for their content: kept whole, counted, and indexed again after a fix."""

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from codewave.local.namespace import Namespace

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

REFUSED: Final = "refused"
"""Kind of the daily indices that hold them."""

_BATCH: Final = 500


class RefusedDocument(Struct, frozen=True, kw_only=True):
    """One of them; the fields of ``opensearch/templates/refused.json``."""

    place: tuple[str, str]
    """Index and id where it is kept."""
    index: str
    """Index that it was meant for."""
    id: str
    error: str
    """OpenSearch's name of the error."""
    reason: str
    refused_at: str
    """ISO 8601."""
    document: dict[str, Any]
    """As it was sent: for ``executions`` only what was new."""


class RefusedGroup(Struct, kw_only=True):
    """What was refused of one index with one error."""

    index: str
    error: str
    documents: int = 0
    last_at: str = ""
    """ISO 8601."""
    reason: str = ""
    """Of the last one."""


class IndexedAgain(Struct, frozen=True, kw_only=True):
    """What came of sending refused documents once more."""

    indexed: int
    refused: int
    """They stay where they are."""
    reasons: list[str]
    """Why, each reason once."""


def refused_documents(client: "OpenSearch", namespace: str, index: str = "*") -> Iterator[RefusedDocument]:
    """Every document that is kept as refused, in no order.

    :param index: only those meant for this index (all of its name); default all.
    :raises opensearchpy.OpenSearchException: if OpenSearch does not answer.
    """
    from opensearchpy.helpers import scan

    wanted: dict[str, Any] = {"match_all": {}} if index == "*" else {"term": {"index": index}}
    pattern = f"{Namespace(namespace).index_prefix}{REFUSED}-2*"
    for hit in scan(client, index=pattern, query={"query": wanted}, size=_BATCH):
        yield RefusedDocument(place=(hit["_index"], hit["_id"]), **hit["_source"])


def group(client: "OpenSearch", namespace: str, index: str = "*") -> list[RefusedGroup]:
    """Count what is kept as refused; parameters and errors as of :func:`refused_documents`."""
    groups: dict[tuple[str, str], RefusedGroup] = {}
    for one in refused_documents(client, namespace, index):
        key = one.index, one.error
        found = groups.setdefault(key, RefusedGroup(index=one.index, error=one.error))
        found.documents += 1
        if one.refused_at >= found.last_at:
            found.last_at, found.reason = one.refused_at, one.reason
    return [groups[key] for key in sorted(groups)]


def absent(client: "OpenSearch", documents: Iterable[RefusedDocument]) -> Iterator[RefusedDocument]:
    """Of these, one of each place that is empty: not indexed before, since, or by a later part of the same document."""
    remaining, seen = iter(documents), set[tuple[str, str]]()
    while batch := list(islice(remaining, _BATCH)):
        present = {(found["_index"], found["_id"]) for found in _get(client, batch) if found.get("found")}
        for one in batch:
            if (place := (one.index, one.id)) not in present | seen:
                seen.add(place)
                yield one


def index_again(client: "OpenSearch", namespace: str, index: str = "*") -> IndexedAgain:
    """Send refused documents to their indices once more, and forget those that are taken.

    A document that is there keeps what is newer in it.

    :param client: of a user who may read, write and delete.
    :param index: only those meant for this index; default all.
    """
    places: dict[tuple[str, str], list[RefusedDocument]] = {}
    for one in sorted(refused_documents(client, namespace, index), key=lambda one: one.refused_at):
        places.setdefault((one.index, one.id), []).append(one)
    remaining, reasons, indexed = iter(places.values()), set[str](), 0
    while batch := list(islice(remaining, _BATCH)):
        answers = _send(client, batch)
        taken = [kept for kept, error in zip(batch, answers, strict=True) if error is None]
        reasons |= {error for error in answers if error is not None}
        indexed += len(taken)
        if taken:
            client.bulk(body=[_deletion(one) for kept in taken for one in kept])
    return IndexedAgain(indexed=indexed, refused=len(places) - indexed, reasons=sorted(reasons))


def merge(present: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """A document as it should be, of what its index holds and of what was refused, which may be older or newer."""
    return refused | present if _progress(present) > _progress(refused) else present | refused


def _progress(document: dict[str, Any]) -> tuple[str, bool, bool]:
    """How far a room, or an execution, has come; other documents never change."""
    return document.get("updated_at", ""), "finished_at" in document, "started_at" in document


def _send(client: "OpenSearch", batch: list[list[RefusedDocument]]) -> list[str | None]:
    """Send each document, put together from its refused parts and what is there; returns why not, or None, of each."""
    present = {(found["_index"], found["_id"]): found for found in _get(client, [kept[0] for kept in batch])}
    actions: list[dict[str, Any]] = []
    for kept in batch:
        there = present[kept[0].index, kept[0].id]
        place = {"_index": kept[0].index, "_id": kept[0].id}
        if there.get("found"):
            # Refused where the job has written it since: what it wrote would be lost.
            seen = {"if_seq_no": there["_seq_no"], "if_primary_term": there["_primary_term"]}
            actions.append({"index": place | seen})
        else:
            actions.append({"create": place})
        actions.append(reduce(merge, (one.document for one in kept), there.get("_source") or {}))
    answers = [answer for item in client.bulk(body=actions)["items"] for answer in item.values()]
    return [answer["error"]["reason"] if "error" in answer else None for answer in answers]


def _deletion(kept: RefusedDocument) -> dict[str, Any]:
    return {"delete": {"_index": kept.place[0], "_id": kept.place[1]}}


def _get(client: "OpenSearch", documents: list[RefusedDocument]) -> list[dict[str, Any]]:
    wanted = {(one.index, one.id) for one in documents}
    body = {"docs": [{"_index": index, "_id": identity} for index, identity in sorted(wanted)]}
    return list(client.mget(body=body)["docs"])
