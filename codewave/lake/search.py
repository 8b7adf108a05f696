"""Words looked up in the search indices: edits, chat, program output, executions and refused events."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from codewave.errors import CodewaveError, WrongUseError
from codewave.lake.search_counts import index_pattern

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

TEXT_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "activity": ("preview", "document_id"),
    "chat": ("text",),
    "execution-logs": ("text", "execution_id"),
    "executions": ("execution_id", "language", "image", "status", "worker_id"),
    "quarantine": ("message", "reason", "type"),
}
"""Index → the fields that are searched; the first one found is shown."""

BEFORE: Final = "\x02"
AFTER: Final = "\x03"
"""Around each found word in a snippet: control characters, which no shown text holds."""

_WORDS_CHARACTERS: Final = 1_000
_SNIPPET_CHARACTERS: Final = 160


class Asked(Struct, frozen=True, kw_only=True):
    """What to look for."""

    words: str
    """OpenSearch's simple query syntax: every word, ``"a phrase"``, ``-not``, ``prefix*``, ``a | b``."""
    room: str | None = None
    user: str | None = None
    kind: str | None = None
    """One of :data:`TEXT_FIELDS`; default all."""
    since: datetime | None = None
    limit: int = 20


class Hit(Struct, frozen=True):
    """One document found."""

    kind: str
    at: str
    """``received_at``, ISO 8601."""
    room_id: str | None
    user_id: str | None
    snippet: str
    """The best part of the text, found words between :data:`BEFORE` and :data:`AFTER`."""
    document: dict[str, Any]
    """As stored."""


class Found(Struct, frozen=True):
    """The answer: how many match, and the newest of them."""

    total: int
    hits: list[Hit]


def search(client: "OpenSearch", namespace: str, asked: Asked) -> Found:
    """Look words up, newest first.

    :raises WrongUseError: for words or a kind that cannot be.
    :raises CodewaveError: if OpenSearch does not answer.
    """
    from opensearchpy.exceptions import ConnectionError as OSConnectionError
    from opensearchpy.exceptions import OpenSearchException

    _check(asked)
    patterns = {index_pattern(namespace, kind): kind for kind in _kinds(asked)}
    try:
        answer = client.search(index=",".join(patterns), body=_body(asked))
    except OSConnectionError:
        raise CodewaveError("search: OpenSearch does not answer; start the stack with `codewave up`") from None
    except OpenSearchException as error:
        raise CodewaveError(f"search: OpenSearch: {str(error)[:200]}; is the stack up? `codewave status`") from None
    hits = [_hit(hit, patterns) for hit in answer["hits"]["hits"]]
    return Found(answer["hits"]["total"]["value"], hits)


def _check(asked: Asked) -> None:
    if not asked.words.strip() or len(asked.words) > _WORDS_CHARACTERS:
        raise WrongUseError(f"search: give words, at most {_WORDS_CHARACTERS} characters")
    if asked.kind is not None and asked.kind not in TEXT_FIELDS:
        raise WrongUseError(f"search: no kind {asked.kind!r}; kinds: {', '.join(TEXT_FIELDS)}")


def _kinds(asked: Asked) -> list[str]:
    return [asked.kind] if asked.kind else list(TEXT_FIELDS)


def _body(asked: Asked) -> dict[str, Any]:
    fields = sorted({field for kind in _kinds(asked) for field in TEXT_FIELDS[kind]})
    words = {"query": asked.words, "fields": fields, "default_operator": "and", "lenient": True}
    filters: list[dict[str, Any]] = [
        {"term": {name: value}} for name, value in (("room_id", asked.room), ("user_id", asked.user)) if value
    ]
    if asked.since:
        filters.append({"range": {"received_at": {"gte": asked.since.isoformat()}}})
    return {
        "size": asked.limit,
        "track_total_hits": True,
        "query": {"bool": {"must": [{"simple_query_string": words}], "filter": filters}},
        "docvalue_fields": [{"field": "received_at", "format": "strict_date_time"}],
        "sort": [{"received_at": {"order": "desc", "unmapped_type": "date"}}],
        "highlight": {
            "fields": {field: {} for field in fields},
            "pre_tags": [BEFORE],
            "post_tags": [AFTER],
            "fragment_size": _SNIPPET_CHARACTERS,
            "number_of_fragments": 1,
        },
    }


def _hit(hit: dict[str, Any], patterns: dict[str, str]) -> Hit:
    kind = next(kind for pattern, kind in patterns.items() if hit["_index"].startswith(pattern.removesuffix("*")))
    source = hit["_source"]
    (received_at,) = hit.get("fields", {}).get("received_at", [""])
    return Hit(kind, received_at, source.get("room_id"), source.get("user_id"), _snippet(kind, hit), source)


def _snippet(kind: str, hit: dict[str, Any]) -> str:
    marked = hit.get("highlight", {})
    for field in TEXT_FIELDS[kind]:
        if field in marked:
            return str(marked[field][0])
    shown = hit["_source"].get(TEXT_FIELDS[kind][0])
    return str(shown or "")[:_SNIPPET_CHARACTERS]
