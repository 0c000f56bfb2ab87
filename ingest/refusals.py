"""The refusals of one batch of messages: all are counted, some are told, few are formatted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from bikes.errors import DecodeError
from bikes.roster import BikeKey
from ingest.budgets import Budget
from ingest.log import Messages
from ingest.rejects import FIRST_ITEMS, OTHER, Refused, Reject, RejectedItem, excerpt, shortened
from ingest.vendors import Group, Routes

TOO_MANY_WRONG = "more wrong items than right ones; for now nobody looks for the reason of others"
"""Why something is refused unread."""


class _Fault(NamedTuple):
    at: int
    group: Group
    error: DecodeError
    place: int | None
    bike_id: str


class Refusals:
    """What is refused of a batch. Messages are known by their position in it.

    `counts` are the items that were refused, and `unknown` those of bikes that a configured vendor
    does not have; complete once it is settled.
    """

    def __init__(self, messages: Messages, routes: Routes, budgets: Mapping[str, Budget]) -> None:
        self._messages, self._routes, self._budgets = messages, routes, budgets
        self._faults: list[_Fault] = []
        self._told: list[tuple[int, Reject]] = []
        self.counts: Counter[Refused] = Counter()
        self.unknown: Counter[BikeKey] = Counter()

    def add(
        self, at: int, group: Group, error: DecodeError, index: int | None = None, bike_id: str = ""
    ) -> None:
        """Refuse the message at a position, or the item at an index of its array, of a bike."""
        place = error.index if index is None else index
        self._faults.append(_Fault(at, group, error, place, bike_id))

    def unread(self, at: int, group: Group, detail: str, items: int) -> None:
        """Refuse items that nobody has looked into, from a message on; say so once in a while."""
        vendor = self._vendor(group)
        self.counts[Refused(group.kind, vendor, "over_budget")] += items
        if self._budgets[vendor].over.take(1, self._messages.received_at_ms):
            error = DecodeError("over_budget", detail)
            self._told.append((at, self._reject([_Fault(at, group, error, None, "")], items)))

    def settle(self) -> list[Reject]:
        """Count them; return those to tell, one for a message, in the order of the messages."""
        self._faults.sort(key=lambda fault: (fault.at, fault.place or 0))
        for at, of_one in groupby(self._faults, key=attrgetter("at")):
            faults = list(of_one)
            vendor = self._vendor(faults[0].group)
            for _, group, error, _, bike_id in faults:
                self.counts[Refused(group.kind, vendor, error.reason)] += 1
                if error.reason == "unknown_bike" and vendor != OTHER:
                    named = bike_id or self._routes.resolve(self._messages.topics[at]).bike_id
                    self.unknown[BikeKey(vendor, named)] += 1
            if self._budgets[vendor].told.take(1, self._messages.received_at_ms):
                self._told.append((at, self._reject(faults, len(faults))))
        self._told.sort(key=lambda told: told[0])
        return [reject for _, reject in self._told]

    def _vendor(self, group: Group) -> str:
        return group.vendor if group.vendor in self._budgets else OTHER

    def _reject(self, faults: Sequence[_Fault], count: int) -> Reject:
        """What is said of the faults of one message."""
        at, group, *_ = faults[0]
        topic = self._messages.topics[at]
        items = [
            RejectedItem(fault.place, fault.error.reason, shortened(fault.error.detail))
            for fault in faults[:FIRST_ITEMS]
        ]
        named = next((fault.bike_id for fault in faults if fault.bike_id), "")
        return Reject(
            reason=items[0].reason,
            detail=items[0].detail,
            received_at_ms=self._messages.received_at_ms,
            topic=topic,
            payload=excerpt(self._messages.payloads[at]),
            payload_bytes=len(self._messages.payloads[at]),
            index=items[0].index,
            vendor=group.vendor,
            bike_id=self._routes.resolve(topic).bike_id or named,
            kind=group.kind,
            count=count,
            items=tuple(items) if len(faults) > 1 else (),
        )
