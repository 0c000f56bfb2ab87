"""Rejected messages: their record, its wire form, and the book of recent ones."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import msgspec

from bikes.errors import RejectReason
from bikes.roster import BikeKey
from bikes.topics import Kind

PAYLOAD_BYTES = 512
"""Bytes of a rejected payload that are kept and sent back."""

DETAIL_CHARACTERS = 500
"""Characters of a detail that are kept; it may quote the payload."""

UNKNOWN_BIKES = 500
"""Bikes that vendors do not have and that are kept."""

FIRST_ITEMS = 5
"""Items of a message of which a reject says what is wrong."""

OTHER = "(other)"
"""Stands for all vendors that are not configured: anybody who may publish can invent some."""


class Refused(NamedTuple):
    """What rejected items are counted by; `vendor` is a configured one or :data:`OTHER`."""

    kind: Kind
    vendor: str
    reason: RejectReason


class RejectedItem(msgspec.Struct, frozen=True):
    """One item of a message: its position in the array, and why it was not accepted."""

    index: int | None
    reason: RejectReason
    detail: str


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was not accepted, or not all of it."""

    reason: RejectReason  # the word of the contract, of its first item that was not accepted
    detail: str  # the exact fault of that item, for the vendor's engineer
    received_at_ms: int  # when the message was received
    topic: str  # on which it came
    payload: str  # its first 512 bytes; what is not UTF-8 is replaced
    payload_bytes: int = 0  # size of the whole
    # Position of that item in the array; None when it is the whole message.
    index: int | None = None
    # As the topic names them, whether known or not, or the item on a topic of many bikes; "" when
    # neither does.
    vendor: str = ""
    bike_id: str = ""
    kind: Kind = "telemetry"  # kind of message on the topic
    count: int = 1  # items that were not accepted
    items: tuple[RejectedItem, ...] = ()  # the first few of them, when there is more than one


def excerpt(payload: bytes) -> str:
    """The first :data:`PAYLOAD_BYTES` of a payload as text, which a reject keeps."""
    return payload[:PAYLOAD_BYTES].decode("utf-8", "replace")


def shortened(detail: str) -> str:
    """A detail of at most :data:`DETAIL_CHARACTERS`; a longer one ends with an ellipsis."""
    return detail if len(detail) <= DETAIL_CHARACTERS else f"{detail[: DETAIL_CHARACTERS - 1]}…"


def payload_json(reject: Reject) -> bytes:
    """The wire form of a reject; ``index`` and what follows only for items of an array."""
    wire: dict[str, object] = {
        "reason": reject.reason,
        "detail": reject.detail,
        "received_at": reject.received_at_ms,
        "topic": reject.topic,
        "payload": reject.payload,
    }
    if reject.index is not None:
        wire["index"] = reject.index
    if reject.count > 1:
        wire |= {"count": reject.count, "items": reject.items}
    return msgspec.json.encode(wire)


class UnknownBike(NamedTuple):
    """A bike that a vendor does not have: how many items, and when the last was received [ms]."""

    items: int
    last_ms: int


class RejectBook:
    """The last rejects of each vendor, and the items rejected by vendor and reason; for one thread.

    Those that are not among `vendors` are kept as one, :data:`OTHER`. `notes` are the values that
    were not used, by vendor and field; `unknown` the bikes that vendors do not have, the one heard
    last at the end.
    """

    def __init__(self, vendors: Iterable[str] = (), keep: int = 500) -> None:
        self._keep = keep
        self._last: dict[str, deque[tuple[int, Reject]]] = {}
        self.follow(vendors)
        self._counts: Counter[Refused] = Counter()
        self._total = 0
        self.notes: Counter[tuple[str, str]] = Counter()
        self.unknown: dict[BikeKey, UnknownBike] = {}

    def follow(self, vendors: Iterable[str]) -> None:
        """Keep those of further vendors apart, too."""
        for vendor in (*vendors, OTHER):
            self._last.setdefault(vendor, deque(maxlen=self._keep))

    def add(
        self,
        rejects: Iterable[Reject],
        refused: Mapping[Refused, int],
        notes: Mapping[tuple[str, str], int] | None = None,
        unknown: Mapping[BikeKey, int] | None = None,
        at_ms: int = 0,
    ) -> None:
        """Enter rejects, oldest first, and the numbers of all that was refused with them.

        `at_ms` is when they were received [ms].
        """
        for key, items in (unknown or {}).items():
            before = self.unknown.pop(key, None)
            self.unknown[key] = UnknownBike(items + (before.items if before else 0), at_ms)
            if len(self.unknown) > UNKNOWN_BIKES:
                del self.unknown[next(iter(self.unknown))]
        self.notes.update(notes or {})
        for reject in rejects:
            self._total += 1
            last = self._last.get(reject.vendor, self._last[OTHER])
            last.append((self._total, reject))
        self._counts.update(refused)

    def last(self) -> list[tuple[int, Reject]]:
        """The last rejects with their numbers since the start, newest first."""
        return sorted(chain(*self._last.values()), key=itemgetter(0), reverse=True)

    @property
    def counts(self) -> dict[tuple[str, RejectReason], int]:
        """Rejected items since the start by (vendor, reason)."""
        counts: Counter[tuple[str, RejectReason]] = Counter()
        for (_, vendor, reason), items in self._counts.items():
            counts[vendor, reason] += items
        return dict(counts)
