"""What a listener to the event stream has yet to read: things, and the bikes that it looks at."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
from typing_extensions import TypedDict

from dashboards.api.sight import MOST_SEEN, Herd, Sight
from dashboards.api.views import AT_ONCE, Indices


class Thing(NamedTuple):
    """What an event is about: the event's name, and the key of its subject."""

    event: str
    key: str


VIEW: Final = Thing("view", "")
"""The mark before the bikes that a page looks at."""


class Seen(TypedDict):
    """Of how many bikes that are looked at (`of`) so many are told."""

    bikes: int
    of: int


def frame(thing: Thing, answer: object, number: str) -> bytes:
    """An event on the wire; JSON has no raw newline, so one data line holds it."""
    said = thing.event.encode(), msgspec.json.encode(answer), number.encode()
    return b"event: %b\ndata: %b\nid: %b\n\n" % said


Frame = tuple[int, bytes]
"""An event on the wire, after the number of its change."""


class Mailbox:
    """What a listener has yet to read: frames of things, the newest of each, and bikes.

    Bikes are not put into it: those are written when it is emptied that it looks at and that have
    changed since the number `after`. `write` makes the frames of n of them, shape (n,).
    """

    def __init__(
        self, sight: Sight, herd: Herd, write: Callable[[Indices], list[Frame]], after: int = 0
    ) -> None:
        self._sight, self._herd, self._write, self._after = sight, herd, write, after
        self._frames: dict[Thing, Frame] = {}
        self._told = np.zeros(0, np.bool_)  # bikes that a listener with a limit has
        self._every = 0  # one of so many is told; 0 before the first
        self.filled = asyncio.Event()

    def put(self, frames: Mapping[Thing, Frame]) -> None:
        """Add frames, of which an older one of the same thing is forgotten."""
        self._frames.update(frames)
        if frames:
            self.filled.set()

    def take(self) -> Iterator[bytes]:
        """All frames in the order of their numbers, some at a time; it is empty afterwards."""
        rows, upto = self._rows(), self._herd.number.max(initial=0)
        things = deque(sorted(self._frames.values()))
        self._frames = {}
        self.filled.clear()
        for first in range(0, rows.size or 1, AT_ONCE):
            some = rows[first : first + AT_ONCE]
            # Those that have changed meanwhile come the next time.
            frames = self._write(some[self._herd.number[some] <= upto])
            is_last = first + AT_ONCE >= rows.size
            while things and (is_last or (frames and things[0] < frames[-1])):
                frames.append(things.popleft())
            yield b"".join(each for _, each in sorted(frames))

    def _rows(self) -> Indices:
        """Bikes that are to be told now, by the number of their change."""
        number = self._herd.number
        rows: Indices = np.flatnonzero(number > self._after)
        self._after = int(number.max(initial=0))
        if self._sight.limited:
            rows = self._looked_at(rows)
        return rows[np.argsort(number[rows])]

    def _looked_at(self, rows: Indices) -> Indices:
        """Of bikes that have changed those that the listener sees, or saw until now."""
        size = self._herd.number.size
        self._told = np.append(self._told, np.zeros(size - self._told.size, np.bool_))
        before, now = self._told[rows], self._herd.seen(self._sight, rows, self._every or 1)
        self._told[rows] = now
        if self._every and self._told.sum() <= 2 * MOST_SEEN:
            return rows[before | now]
        # The first time, and when a crowd has gathered: what was told before is void.
        rows = np.arange(size)
        there, self._every = int(self._herd.seen(self._sight, rows).sum()), 1
        while there > MOST_SEEN * self._every:
            self._every *= 2
        self._told = self._herd.seen(self._sight, rows, self._every)
        told = {"bikes": int(self._told.sum()), "of": there}
        self._frames[VIEW] = -1, b"event: view\ndata: %b\n\n" % msgspec.json.encode(told)
        return rows[self._told]
