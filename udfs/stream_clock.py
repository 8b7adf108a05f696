"""The stream's own time, shard by shard, as far as it has been read.

A gap is closed by this clock, not by the wall's: a reader that is behind, or has just been restarted, then gives late
events the same time to arrive as one that keeps up, and reading the same records again closes the same gaps.
"""

from msgspec import Struct


class _Shard(Struct, gc=False):
    arrived_at: int
    seen_at: int


class StreamClock:
    """Arrival time of the newest record read of each shard; all times in ms since epoch.

    :param opened_at: the wall clock when reading began.
    :param idle_ms: a shard that gave nothing for so long has no more to give now; its time goes on with the wall's.
    """

    def __init__(self, opened_at: int, idle_ms: int) -> None:
        self._opened_at = opened_at
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

    def read(self, shard_id: str, at_least: int, now_ms: int) -> int:
        """The time of a shard.

        :param at_least: what is known of it from before this reader was opened.
        """
        shard = self._shards.get(shard_id) or _Shard(at_least, self._opened_at)
        silent_ms = now_ms - shard.seen_at
        return max(at_least, shard.arrived_at + (silent_ms if silent_ms > self._idle_ms else 0))
