"""Chaos: deliberate faults in what is sent, each counted, all determined by the seed.

``duplicate``, ``reorder`` and ``drop`` happen to real events; ``malformed``, ``oversized`` and ``corrupt`` come on top
of them, under ordering keys of their own, so that they never take the place of a real sequence number.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from codewave.errors import WrongUseError
from codewave.workload.faults import Fault, FaultSource
from codewave.workload.ids import random_for

REORDER_PLACES: Final = 20
"""An event moves back by 1 to this many places of its room: far below the 256 that may wait for it."""
DUPLICATE_PLACES: Final = 50
HOLD_MS: Final = 300
"""Nothing is held back longer, in ms of real time: below the gap timeout of 1 s, so that no gap is declared."""


class Chaos(Struct, frozen=True, forbid_unknown_fields=True):
    """Per fault, the probability that it happens at a real event: 0 to 1."""

    duplicate: float = 0
    reorder: float = 0
    drop: float = 0
    malformed: float = 0
    oversized: float = 0
    corrupt: float = 0


KINDS: Final = Chaos.__struct_fields__


def parse_chaos(text: str) -> Chaos:
    """Read ``"duplicate=0.05 reorder=0.01"``.

    :raises WrongUseError: for a name that does not exist, one given twice, or a value that is not 0 to 1.
    """
    values: dict[str, float] = {}
    for word in text.replace(",", " ").split():
        name, sign, value = word.partition("=")
        if name not in KINDS:
            raise WrongUseError(f"chaos {word!r}: unknown fault; use {'=…, '.join(KINDS)}=…")
        if not sign or name in values:
            raise WrongUseError(f"chaos {word!r}: give each fault once, as {name}=0.01")
        values[name] = _probability(word, value)
    return msgspec.convert(values, Chaos)


def _probability(word: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise WrongUseError(f"chaos {word!r}: the value must be a number from 0 to 1")
    return number


class Outgoing(NamedTuple):
    """What goes to the producer: an encoded event, or a whole record as it is."""

    room_id: str
    data: bytes
    whole_record: bool = False


class Injected(Struct, forbid_unknown_fields=True):
    """How often each fault was made."""

    duplicate: int = 0
    reorder: int = 0
    drop: int = 0
    malformed: int = 0
    oversized: int = 0
    corrupt: int = 0


class _Held(Struct, gc=False):
    """Something held back: until its room had ``until`` arrivals, or until ``deadline_ms``."""

    item: Outgoing
    arrival: int
    until: int
    deadline_ms: float
    real: bool
    released: bool = False


class _RoomOrder(Struct, gc=False):
    """What one room sent: arrivals so far, the latest arrival already sent, what is held back."""

    held: list[_Held]
    arrivals: int = 0
    newest_sent: int = 0


class Disturber:
    """Applies chaos to a stream of encoded events; holds back little, and nothing for longer than ``HOLD_MS``."""

    def __init__(self, chaos: Chaos, seed: object, *, event_bytes: int, clock_ms: Callable[[], float]) -> None:
        """:param clock_ms: real time, only used to end what is held back."""
        self.injected = Injected()
        self.faults = FaultSource(seed, event_bytes)
        self._chaos = chaos
        self._clock_ms = clock_ms
        self.calm = chaos == Chaos()
        """Nothing will ever be disturbed."""
        self._random = {kind: random_for(seed, "chaos", kind) for kind in KINDS}
        self._rooms: dict[str, _RoomOrder] = {}
        self._waiting: deque[_Held] = deque()

    def loses(self) -> bool:
        """Whether the next real event is dropped: ask once per event, before :meth:`take`."""
        lost = self._draw("drop")
        self.injected.drop += lost
        return lost

    def take(self, room_id: str, data: bytes, now_ms: int) -> Iterator[Outgoing]:
        """What to send now that a real event of ``room_id`` is due.

        :param data: the event, encoded.
        :param now_ms: time to write into injected events, ms since epoch.
        """
        order = self._rooms.setdefault(room_id, _RoomOrder([]))
        order.arrivals += 1
        duplicated, reordered = self._draw("duplicate"), self._draw("reorder")
        item = Outgoing(room_id, data)
        if reordered:
            self._hold(order, item, 1 + self._random["reorder"].randrange(REORDER_PLACES), real=True)
        else:
            order.newest_sent = order.arrivals
            yield item
        if duplicated:
            self._hold(order, item, 1 + self._random["duplicate"].randrange(DUPLICATE_PLACES), real=False)
        yield from self._reached(order)
        yield from self._inject(room_id, now_ms)

    def overdue(self) -> Iterator[Outgoing]:
        """What was held back for long enough; call it at least every ``HOLD_MS``."""
        while self._waiting and (self._waiting[0].released or self._waiting[0].deadline_ms <= self._clock_ms()):
            yield from self._release(self._waiting.popleft())

    def rest(self) -> Iterator[Outgoing]:
        """What is still held back when the stream ends."""
        while self._waiting:
            yield from self._release(self._waiting.popleft())

    def _draw(self, kind: str) -> bool:
        probability: float = getattr(self._chaos, kind)
        return self._random[kind].random() < probability

    def _hold(self, order: _RoomOrder, item: Outgoing, places: int, *, real: bool) -> None:
        held = _Held(item, order.arrivals, order.arrivals + places, self._clock_ms() + HOLD_MS, real)
        order.held.append(held)
        self._waiting.append(held)

    def _reached(self, order: _RoomOrder) -> Iterator[Outgoing]:
        if not order.held:
            return
        for held in order.held:
            if held.until <= order.arrivals:
                yield from self._release(held)
        order.held = [held for held in order.held if not held.released]

    def _release(self, held: _Held) -> Iterator[Outgoing]:
        if held.released:
            return
        held.released = True
        order = self._rooms[held.item.room_id]
        if not held.real:
            self.injected.duplicate += 1
        elif order.newest_sent > held.arrival:
            self.injected.reorder += 1  # only what was really overtaken counts
        else:
            order.newest_sent = held.arrival
        yield held.item

    def _inject(self, room_id: str, now_ms: int) -> Iterator[Outgoing]:
        if self._draw("malformed"):
            self.injected.malformed += 1
            yield self._outgoing(self.faults.malformed(room_id, now_ms), room_id)
        if self._draw("oversized"):
            self.injected.oversized += 1
            yield self._outgoing(self.faults.oversized(room_id, now_ms), room_id)
        if self._draw("corrupt"):
            self.injected.corrupt += 1
            yield self._outgoing(self.faults.corrupt(room_id, now_ms), room_id)

    @staticmethod
    def _outgoing(fault: Fault, room_id: str) -> Outgoing:
        return Outgoing(room_id, fault.data, fault.whole_record)
