"""Rejected messages: their record, its wire form, and the book of recent ones."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from bikes.errors import RejectReason
from bikes.topics import NAME, Kind

PAYLOAD_BYTES = 512
"""Bytes of a rejected payload that are kept and sent back."""

DETAIL_CHARACTERS = 500
"""Characters of a detail that are kept; it may quote the payload."""

OTHER = "(other)"
"""Stands for the vendors beyond those a :class:`RejectBook` counts by name."""


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """One message, or one item of an array, that was not accepted.

    Attributes
    ----------
    reason : RejectReason
        The word of the contract.
    detail : str
        The exact fault, for the vendor's engineer.
    received_at_ms : int
        When the message was received.
    topic : str
        On which it came.
    payload : str
        Its first 512 bytes; what is not UTF-8 is replaced.
    index : int, optional
        Position of the item in the array; None when it is the whole message.
    vendor, bike_id : str
        As the topic names them, whether known or not, or the item on a topic of many bikes; ""
        when neither does.
    kind : {"telemetry", "event", "status"}
        Kind of message on the topic.
    """

    reason: RejectReason
    detail: str
    received_at_ms: int
    topic: str
    payload: str
    index: int | None = None
    vendor: str = ""
    bike_id: str = ""
    kind: Kind = "telemetry"

    @property
    def answerable(self) -> bool:
        """Whether there is a topic to send it back on (topic ``rejected``)."""
        return bool(NAME.fullmatch(self.vendor) and NAME.fullmatch(self.bike_id))


def excerpt(payload: bytes) -> str:
    """The first :data:`PAYLOAD_BYTES` of a payload as text, which a reject keeps."""
    return payload[:PAYLOAD_BYTES].decode("utf-8", "replace")


def shortened(detail: str) -> str:
    """A detail of at most :data:`DETAIL_CHARACTERS`; a longer one ends with an ellipsis."""
    return detail if len(detail) <= DETAIL_CHARACTERS else f"{detail[: DETAIL_CHARACTERS - 1]}…"


def payload_json(reject: Reject) -> bytes:
    """The wire form of a reject; ``index`` only for an item of an array."""
    wire: dict[str, object] = {
        "reason": reject.reason,
        "detail": reject.detail,
        "received_at": reject.received_at_ms,
        "topic": reject.topic,
        "payload": reject.payload,
    }
    if reject.index is not None:
        wire["index"] = reject.index
    return msgspec.json.encode(wire)


class RejectBook:
    """The last rejects, and how many there have been by vendor and reason; for one thread.

    At most `max_vendors` are counted by name. Anybody who may publish can invent vendors; the rest
    are counted together, as :data:`OTHER`.
    """

    def __init__(self, keep: int = 1000, max_vendors: int = 100) -> None:
        self._last: deque[Reject] = deque(maxlen=keep)
        self._max_vendors = max_vendors
        self._vendors: set[str] = set()
        self._counts: Counter[tuple[str, RejectReason]] = Counter()

    def add(self, rejects: Iterable[Reject]) -> None:
        """Enter rejects, oldest first."""
        for reject in rejects:
            self._last.append(reject)
            self._counts[self._counted(reject.vendor), reject.reason] += 1

    def last(
        self, limit: int = 100, *, vendor: str | None = None, reason: str | None = None
    ) -> list[Reject]:
        """The last rejects, newest first, of one vendor or reason when that is asked for."""
        found = (
            reject
            for reject in reversed(self._last)
            if vendor in (None, reject.vendor) and reason in (None, reject.reason)
        )
        return [reject for reject, _ in zip(found, range(limit), strict=False)]

    @property
    def counts(self) -> dict[tuple[str, RejectReason], int]:
        """Rejects since the start by (vendor, reason)."""
        return dict(self._counts)

    @property
    def total(self) -> int:
        """All rejects since the start."""
        return self._counts.total()

    def _counted(self, vendor: str) -> str:
        if vendor not in self._vendors:
            if len(self._vendors) >= self._max_vendors:
                return OTHER
            self._vendors.add(vendor)
        return vendor
