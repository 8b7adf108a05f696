"""The stream's own time, shard by shard, as far as it has been read.

A gap is closed by this clock, not by the wall's: a reader that is behind, or has just been restarted, then gives late
events the same time to arrive as one that keeps up, and reading the same records again closes the same gaps.
"""

from typing import Final

from msgspec import Struct

HELD_UP_MS: Final = 1_000
"""A reader that has last heard of the time so long ago is held up, by a sink that takes nothing, say."""


class _Shard(Struct, gc=False):
    arrived_at: int
    seen_at: int


class StreamClock:
    """Arrival time of the newest record read of each shard; all times in ms since epoch.

    :param opened_at: the wall clock when reading began.
    :param idle_ms: a shard that gave nothing for so long has no more to give now; its time goes on with the wall's.
        Only time in which the reader could read counts: what came while it was held up is still to be read.
    """

    def __init__(self, opened_at: int, idle_ms: int) -> None:
        self._opened_at = opened_at
        self._free_since = opened_at
        self._idle_ms = idle_ms
        self._shards: dict[str, _Shard] = {}

    def observe(self, shard_id: str, arrived_at: int, now_ms: int) -> None:
        """Note a record that was read at ``now_ms`` on the wall clock."""
        shard = self._shards.get(shard_id)
        if shard is None:
            self._shards[shard_id] = _Shard(arrived_at, now_ms)
        else:
            shard.arrived_at = max(shard.arrived_at, arrived_at)
            shard.seen_at = now_ms

    def read(self, shard_id: str, at_least: int, now_ms: int, heard_ms: int | None = None) -> int:
        """The time of a shard.

        :param at_least: what is known of it from before this reader was opened.
        :param heard_ms: up to when, on the wall clock, all that was sent to this reader has been taken in, as far as
            it knows: by the clock that comes along with the records, and by when the timer was due that asks; default
            now.
        """
        if heard_ms is not None and now_ms - heard_ms > HELD_UP_MS:
            self._free_since = now_ms
        shard = self._shards.get(shard_id) or _Shard(at_least, self._opened_at)
        is_idle = now_ms - max(shard.seen_at, self._free_since) > self._idle_ms
        return max(at_least, shard.arrived_at + (now_ms - shard.seen_at if is_idle else 0))
