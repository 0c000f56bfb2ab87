"""The refusals of one batch of messages: all are counted, some are told, few are formatted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from bikes.errors import DecodeError
from ingest.budgets import Budget
from ingest.log import Messages
from ingest.rejects import (
    FIRST_ITEMS,
    OTHER,
    Refused,
    Reject,
    RejectedItem,
    excerpt,
    shortened,
)
from ingest.vendors import Route


class _Fault(NamedTuple):
    at: int
    route: Route
    error: DecodeError
    place: int | None


class Refusals:
    """What is refused of a batch. Messages are known by their position in it.

    Attributes
    ----------
    counts : Counter
        Items that were refused; complete once it is settled.
    """

    def __init__(self, messages: Messages, budgets: Mapping[str, Budget]) -> None:
        self._messages = messages
        self._budgets = budgets
        self._faults: list[_Fault] = []
        self._told: list[tuple[int, Reject]] = []
        self.counts: Counter[Refused] = Counter()

    def add(self, at: int, route: Route, error: DecodeError, index: int | None = None) -> None:
        """Refuse the message at a position, or the item at an index of its array."""
        self._faults.append(_Fault(at, route, error, error.index if index is None else index))

    def unread(self, at: int, route: Route, why: Callable[[], DecodeError], items: int = 1) -> None:
        """Refuse items that nobody has looked into, and say so once in a while."""
        vendor = self._vendor(route)
        self.counts[Refused(route.kind, vendor, "over_budget")] += items
        if self._budgets[vendor].over.take(1, self._messages.received_at_ms):
            self._told.append((at, self._reject([_Fault(at, route, why(), None)], items)))

    def settle(self) -> list[Reject]:
        """Count them; return those to tell, one for a message, in the order of the messages."""
        self._faults.sort(key=lambda fault: (fault.at, fault.place or 0))
        for at, group in groupby(self._faults, key=attrgetter("at")):
            faults = list(group)
            vendor = self._vendor(faults[0].route)
            for fault in faults:
                self.counts[Refused(fault.route.kind, vendor, fault.error.reason)] += 1
            if self._budgets[vendor].told.take(1, self._messages.received_at_ms):
                self._told.append((at, self._reject(faults, len(faults))))
        self._told.sort(key=lambda told: told[0])
        return [reject for _, reject in self._told]

    def _vendor(self, route: Route) -> str:
        return route.vendor if route.vendor in self._budgets else OTHER

    def _reject(self, faults: Sequence[_Fault], count: int) -> Reject:
        """What is said of the faults of one message."""
        at, route, _, place = faults[0]
        items = [
            RejectedItem(fault.place, fault.error.reason, shortened(fault.error.detail))
            for fault in faults[:FIRST_ITEMS]
        ]
        return Reject(
            reason=items[0].reason,
            detail=items[0].detail,
            received_at_ms=self._messages.received_at_ms,
            topic=self._messages.topics[at],
            payload=excerpt(self._messages.payloads[at]),
            index=place,
            vendor=route.vendor,
            bike_id=next((each.route.bike_id for each in faults if each.route.bike_id), ""),
            kind=route.kind,
            count=count,
            items=tuple(items) if len(faults) > 1 else (),
        )
