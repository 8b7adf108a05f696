"""The contract's rules of order and duplicates, written down as plainly as possible, with memory without bounds.

The reference that the stream's functions are compared with: it imports none of them and shares no idea with them. It
keeps every event ever stored, and looks at all of it again whenever it has to decide something. Where the contract
allows the stream to forget (old fingerprints, old holes, idle keys), the model knows better and pretends not to.
"""

from collections import Counter
from typing import NamedTuple


class Bounds(NamedTuple):
    """What may wait and be remembered; the names are those of the rules."""

    gap_timeout_ms: int
    pending_events: int
    pending_bytes: int
    waiting_keys: int
    holes: int
    fingerprints: int
    idle_ms: int = 35 * 86_400_000


class Arrival(NamedTuple):
    """An event as it comes; ``refused``: the contract refuses it, but its place in the order can be read."""

    key: str
    number: int
    event_id: str
    size: int
    refused: bool = False


class Gap(NamedTuple):
    """Numbers declared missing (``event_id`` is ``None``), or one that came late all the same."""

    key: str
    first: int
    last: int
    cause: str
    waited_ms: int
    event_id: str | None = None


class Said:
    """What one record or timer leads to."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, int, str, bool]] = []
        """Key, number, event and whether it is late, in the order in which they are stored."""
        self.gaps: list[Gap] = []
        self.quarantined: list[tuple[str, int, str, str]] = []
        """Key, number, event and reason."""
        self.counts: Counter[str] = Counter()


class Key:
    """Everything that ever happened along one ordering key."""

    def __init__(self) -> None:
        self.next = 1
        self.stored: dict[int, str] = {}
        """Number → event."""
        self.waiting: dict[int, tuple[int, Arrival]] = {}
        """Number → since when it waits, and what."""
        self.forgotten: list[tuple[int, int]] = []
        """The holes that the stream may have forgotten."""
        self.touched_at = 0

    def copy(self) -> "Key":
        """The key as it is now."""
        other = Key()
        other.next, other.touched_at = self.next, self.touched_at
        other.stored, other.waiting, other.forgotten = dict(self.stored), dict(self.waiting), list(self.forgotten)
        return other

    def holes(self) -> list[tuple[int, int]]:
        """First and last number of each run of missing numbers that is not forgotten."""
        horizon = self.forgotten[-1][1] if self.forgotten else 0
        runs, first = [], horizon + 1
        for number in [*sorted(number for number in self.stored if number > horizon), self.next]:
            if first < number:
                runs.append((first, number - 1))
            first = number + 1
        return runs

    def is_doubtful(self, number: int) -> bool:
        """Whether the stream can no longer know if a number behind ``next`` is missing."""
        return bool(self.forgotten) and self.forgotten[0][0] <= number <= self.forgotten[-1][1]

    def waits_since(self) -> int:
        """Since when the longest-waiting event waits."""
        return min(since for since, _ in self.waiting.values())

    def too_many_wait(self, bounds: Bounds) -> bool:
        """Whether more waits than may."""
        size = sum(arrival.size for _, arrival in self.waiting.values() if not arrival.refused)
        return len(self.waiting) > bounds.pending_events or size > bounds.pending_bytes


class Room:
    """One room: its clock and its ordering keys."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.clock = 0
        self.keys: dict[str, Key] = {}
        self.waiting: list[str] = []
        """The keys of which something waits, in the order in which that began."""
        self.expired = 0
        """How many keys were forgotten whole."""
        self._touched_at = 0
        self._now = 0
        self._said = Said()

    def copy(self) -> "Room":
        """The room as it is now."""
        other = Room(self.bounds)
        other.clock, other.expired, other._touched_at = self.clock, self.expired, self._touched_at
        other.keys = {name: key.copy() for name, key in self.keys.items()}
        other.waiting = list(self.waiting)
        return other

    def record(self, arrivals: list[Arrival], arrived_at: int, now: int) -> Said:
        """A record: the clock goes on, then each event finds its place."""
        said = self.timer(arrived_at, now)
        for arrival in arrivals:
            said.counts["received"] += 1
            self._arrive(self._key(arrival.key), arrival)
        return said

    def timer(self, clock: int, now: int) -> Said:
        """The clock goes on; whoever waited too long waits no more."""
        self._forget_idle(now)
        self._now = self._touched_at = now
        self._said = Said()
        self.clock = max(self.clock, clock)
        for name in list(self.waiting):
            key = self.keys[name]
            while key.waiting and self.clock - key.waits_since() >= self.bounds.gap_timeout_ms:
                self._declare_gap(name, "timeout")
        return self._said

    def _forget_idle(self, now: int) -> None:
        for name in [name for name, key in self.keys.items() if now - key.touched_at >= self.bounds.idle_ms]:
            del self.keys[name]
            self.expired += 1
            if name in self.waiting:
                self.waiting.remove(name)
        if now - self._touched_at >= self.bounds.idle_ms:
            self.clock = 0

    def _key(self, name: str) -> Key:
        key = self.keys.setdefault(name, Key())
        key.touched_at = self._now
        return key

    def _arrive(self, key: Key, arrival: Arrival) -> None:
        if arrival.refused:
            self._quarantine(arrival, "schema_violation")
        if arrival.number < key.next:
            if not arrival.refused:
                self._arrive_behind(key, arrival)
            return
        since, there = key.waiting.get(arrival.number, (self.clock, None))
        if there is not None and (arrival.refused or not there.refused):
            if not arrival.refused:
                self._meet(arrival, there.event_id)
            return
        waits = arrival.number > key.next
        if not arrival.refused:
            self._said.counts["pending" if waits else "stored"] += 1
        key.waiting[arrival.number] = (since, arrival)
        released = self._go_on(arrival.key)
        self._said.counts["released"] += released if waits or arrival.refused else released - 1
        while key.too_many_wait(self.bounds):
            self._declare_gap(arrival.key, "pending_full")
        if len(self.waiting) > self.bounds.waiting_keys:
            first = self.waiting[0]
            while self.keys[first].waiting:
                self._declare_gap(first, "pending_full")

    def _arrive_behind(self, key: Key, arrival: Arrival) -> None:
        recent = key.next - arrival.number <= self.bounds.fingerprints
        if key.is_doubtful(arrival.number) and not recent:
            self._quarantine(arrival, "too_late")
        elif arrival.number not in key.stored:
            key.stored[arrival.number] = arrival.event_id
            self._said.stored.append((arrival.key, arrival.number, arrival.event_id, True))
            self._said.gaps.append(Gap(arrival.key, arrival.number, arrival.number, "late", 0, arrival.event_id))
            self._said.counts.update(stored=1, late=1)
            self._forget_holes(key)
        else:
            self._meet(arrival, key.stored[arrival.number] if recent else arrival.event_id)

    def _meet(self, arrival: Arrival, event_id: str) -> None:
        """An event comes where one is already."""
        if arrival.event_id == event_id:
            self._said.counts["duplicate"] += 1
        else:
            self._quarantine(arrival, "sequence_conflict")

    def _quarantine(self, arrival: Arrival, reason: str) -> None:
        self._said.counts["quarantined"] += 1
        self._said.quarantined.append((arrival.key, arrival.number, arrival.event_id, reason))

    def _go_on(self, name: str) -> int:
        """Store what is next; say how many events that were."""
        key, stored = self._key(name), 0
        while key.next in key.waiting:
            _, arrival = key.waiting.pop(key.next)
            key.next += 1
            if arrival.refused:
                self._said.gaps.append(Gap(name, arrival.number, arrival.number, "refused", 0))
                self._forget_holes(key)
            else:
                key.stored[arrival.number] = arrival.event_id
                self._said.stored.append((name, arrival.number, arrival.event_id, False))
                stored += 1
        if not key.waiting and name in self.waiting:
            self.waiting.remove(name)
        if key.waiting and name not in self.waiting:
            self.waiting.append(name)
        return stored

    def _declare_gap(self, name: str, cause: str) -> None:
        key = self._key(name)
        first_waiting = min(key.waiting)
        waited_ms = max(0, self.clock - key.waits_since())
        self._said.gaps.append(Gap(name, key.next, first_waiting - 1, cause, waited_ms))
        key.next = first_waiting
        self._forget_holes(key)
        self._said.counts["released"] += self._go_on(name)

    def _forget_holes(self, key: Key) -> None:
        while len(holes := key.holes()) > self.bounds.holes:
            key.forgotten.append(holes[0])
