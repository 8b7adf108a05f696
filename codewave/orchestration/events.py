"""What the asset events of tables carry: the snapshot they tell of."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from iceberg.newest import News

_SNAPSHOT: Final = "snapshot_id"


def snapshot_extra(news: "News") -> dict[str, str]:
    """The extra of an event; the id as text, as it is beyond what JSON's readers keep exactly."""
    return {_SNAPSHOT: str(news.snapshot_id), "committed_at": news.committed_at.isoformat()}


def seen_snapshot(events: Any) -> int | None:
    """Id of the snapshot that the newest event of an asset told of.

    :param events: of one asset, from a task's ``inlet_events``.
    :returns: ``None`` if there was no event, or one that somebody made by hand without an id.
    """
    newest = events.ascending(False).limit(1)
    if len(newest) == 0:
        return None
    told = newest[0].extra.get(_SNAPSHOT)
    return int(told) if told else None
