"""Messages into telemetry, statuses, events, and rejects with a reason.

Pure: the outcome is a function of the messages, the configuration and nothing else; the time
of receipt in the batch is the only clock. So reading the log again gives the same again.

A message is judged in this order, and the first reason found is the one that is given:
its topic (``unknown_vendor``, ``unknown_bike``), its size (``too_large``), its text
(``not_json``, ``schema``, ``too_many``), then each item's device, ranges and timestamp. On a
topic of many bikes the device says whose item it is. What is over the vendor's budget is not
read at all (``over_budget``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from bikes.errors import DecodeError
from bikes.formats import mds, reading
from bikes.formats.reading import Item, read_each
from bikes.roster import BikeKey, Roster
from bikes.telemetry import Event, Status, Telemetry, TelemetryBatch
from bikes.topics import is_level
from ingest.budgets import ITEM_BYTES, Budget, VendorLimits
from ingest.checks import PLAUSIBLE, Bounds, Faults, device_fault, timestamp_fault, to_columns
from ingest.log import LogEntry, Messages, SqliteLog
from ingest.refusals import TOO_MANY_WRONG, Refusals
from ingest.rejects import OTHER, Refused, Reject
from ingest.vendors import (
    CANARY,
    NAMED_INSIDE,
    REFUSED,
    DecodeLimits,
    Group,
    Routes,
    VendorFormat,
    in_wgs84,
)

RECENT_MESSAGES, RECENT_ENTRIES = 200_000, 2_000
"""Capacity of :class:`RecentlyDecoded`: some 20 MB at most."""


@dataclass(slots=True)
class Decoded:
    """Content of a batch of messages."""

    received_at_ms: int  # when the batch was received
    # Accepted telemetry, WGS-84.
    telemetry: TelemetryBatch = field(default_factory=TelemetryBatch.empty)
    # In the order of the messages.
    statuses: list[Status] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # Those that the vendor is told, one for a message, in the order of the messages.
    rejects: list[Reject] = field(default_factory=list)
    # All items that were rejected, told or not.
    refused: Counter[Refused] = field(default_factory=Counter)
    # Items of bikes that a configured vendor does not have, told or not.
    unknown: Counter[BikeKey] = field(default_factory=Counter)
    # Values that are unknown because they cannot be used, by vendor and field.
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: int = 0  # messages in the batch
    accepted: Counter[str] = field(default_factory=Counter)  # accepted items of telemetry by vendor
    canary: bytes = b""  # payload of the last message of the station's own; empty without one
    canaries: int = 0  # number of these

    @property
    def rejected(self) -> Counter[str]:
        """Rejected items of telemetry by vendor.

        A message that is rejected as a whole is one item.
        """
        found: Counter[str] = Counter()
        for (kind, vendor, _), count in self.refused.items():
            if kind == "telemetry":
                found[vendor] += count
        return found

    @property
    def received(self) -> Counter[str]:
        """Items of telemetry by vendor; a message that says nothing (an empty array) is none."""
        return self.accepted + self.rejected


class DecodedEntry(NamedTuple):
    """An entry of the log; `seq` is the number of the last message in it."""

    seq: int
    decoded: Decoded


class RecentlyDecoded:
    """The newest entries of the log as they were decoded, for a reader close behind the first.

    One thread adds; any may ask, because the tuple of entries is replaced and never changed.
    """

    def __init__(self) -> None:
        self._entries: tuple[DecodedEntry, ...] = ()

    def add(self, entries: Iterable[DecodedEntry]) -> None:
        """Take in the entries that follow, and let the oldest go."""
        kept = [*self._entries, *entries][-RECENT_ENTRIES:]
        messages = np.cumsum([entry.decoded.messages for entry in reversed(kept)])
        room = int(np.searchsorted(messages, RECENT_MESSAGES, side="right"))
        self._entries = tuple(kept[max(len(kept) - room, 0) :])

    def after(self, seq: int, limit: int) -> list[DecodedEntry]:
        """Entries that follow a message, until they hold at least `limit` messages.

        Empty when the first of them is not here: then the log has to be read.
        """
        entries = self._entries
        first = bisect_right(entries, seq, key=lambda entry: entry.seq)
        if first == len(entries) or entries[first].seq - entries[first].decoded.messages > seq:
            return []
        found = []
        for entry in entries[first:]:
            found.append(entry)
            limit -= entry.decoded.messages
            if limit <= 0:
                break
        return found


class Decoder:
    """Decodes batches of messages; for one thread at a time.

    The roster grows by the bikes of vendors that may have any.

    ValueError: the roster has a vendor of which it is not said how it writes.
    """

    def __init__(
        self,
        roster: Roster,
        vendors: Mapping[str, VendorFormat],
        limits: DecodeLimits | None = None,
    ) -> None:
        missing = sorted(roster.vendors - vendors.keys())
        if missing:
            raise ValueError(f"no format for vendors on the roster: {', '.join(missing)}")
        self._vendors = dict(vendors)
        self._limits = limits or DecodeLimits()
        self._budgets = {name: Budget(name, v.limits) for name, v in self._vendors.items()}
        self._budgets[OTHER] = Budget(OTHER, VendorLimits())
        topics = {name: v.topics for name, v in self._vendors.items()}
        self._routes = Routes(roster, topics, self._budgets)

    def decode(self, messages: Messages, *, again: bool = False) -> Decoded:
        """Decode a batch; nothing in it raises an error.

        One that was read before, `again`, lets no bike in that was refused then.
        """
        self._routes.at_ms = None if again else messages.received_at_ms
        return _Reading(messages, self._vendors, self._limits, self._routes, self._budgets).read()


class Decodings:
    """Decodes each entry of a log by the settings of the time when it came; for one thread.

    Reading it again gives the same again, whatever was configured since. See
    docs/decisions/0024.
    """

    def __init__(self, log: SqliteLog, make: Callable[[str], Decoder]) -> None:
        self._log, self._make = log, make
        self._made: dict[tuple[int, str], Decoder] = {}

    def decode_entry(self, entry: LogEntry, *, again: bool = False) -> Decoded:
        """Decode an entry; as :meth:`Decoder.decode`."""
        there = self._log.decodings
        held = there[max(bisect_left(there, entry.seq, key=itemgetter(0)) - 1, 0)]
        if held not in self._made:
            self._made = {each: made for each, made in self._made.items() if each in there}
            self._made[held] = self._make(held[1])
        return self._made[held].decode(entry.messages, again=again)


@dataclass
class _Reading:
    """One batch being decoded. Messages are known by their position in it."""

    _messages: Messages
    _vendors: Mapping[str, VendorFormat]
    _limits: DecodeLimits
    _routes: Routes
    _budgets: Mapping[str, Budget]
    _telemetry: list[TelemetryBatch] = field(default_factory=list)
    _accepted: Counter[str] = field(default_factory=Counter)
    _canaries: list[bytes] = field(default_factory=list)
    _statuses: list[Status] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _notes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._at_ms = self._messages.received_at_ms
        self._bounds = self._limits.bounds(self._at_ms)
        self._refusals = Refusals(self._messages, self._routes, self._budgets)

    def read(self) -> Decoded:
        """Decode the batch."""
        if self._messages.topics:
            self._read_groups()
        return Decoded(
            received_at_ms=self._at_ms,
            telemetry=TelemetryBatch.concat(self._telemetry),
            statuses=self._statuses,
            events=self._events,
            rejects=self._refusals.settle(),
            refused=self._refusals.counts,
            unknown=self._refusals.unknown,
            notes=self._notes,
            messages=len(self._messages.topics),
            accepted=self._accepted,
            canary=self._canaries[-1] if self._canaries else b"",
            canaries=len(self._canaries),
        )

    def _read_groups(self) -> None:
        routes = self._routes.find(self._messages.topics)
        groups = self._routes.group[routes]
        sizes = np.fromiter(map(len, self._messages.payloads), np.int64, groups.size)
        groups[sizes > self._limits.max_bytes] = REFUSED
        for number in np.flatnonzero(np.bincount(groups)).tolist():
            at = np.flatnonzero(groups == number)
            group = self._routes.groups[number]
            if number == REFUSED:
                self._refuse(at)
                continue
            if number == CANARY:
                self._canaries = self._payloads(at)
                continue
            at = self._within_budget(group, at, sizes[at])
            if group.kind == "telemetry":
                self._read_telemetry(group, at, routes[at])
            elif group.kind == "status":
                self._read_statuses(group, at, routes[at])
            else:
                self._read_events(group, at, routes[at])

    def _within_budget(
        self, group: Group, at: NDArray[np.intp], sizes: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """The messages at positions `at` that there is room for; the others are refused."""
        room = self._budgets[group.vendor].within(sizes, self._at_ms)
        if room < at.size:
            detail = "more messages or bytes than messages_per_hour, bytes_per_hour"
            self._refusals.unread(int(at[room]), group, detail, at.size - room)
        return at[:room]

    def _refuse(self, at: NDArray[np.intp]) -> None:
        """Messages of which the topic or the size alone says that they are not accepted."""
        for position in at.tolist():
            kind, vendor, _, refusal = self._routes.resolve(self._messages.topics[position])
            if refusal is None:
                size, most = len(self._messages.payloads[position]), self._limits.max_bytes
                detail = f"{size} bytes; at most {most} are accepted"
                refusal = DecodeError("too_large", detail)
            self._refusals.add(position, Group(kind, vendor), refusal)

    def _read_telemetry(self, group: Group, at: NDArray[np.intp], routes: NDArray[np.intp]) -> None:
        """Telemetry of one vendor, in the messages at positions `at`."""
        vendor = self._vendors[group.vendor]
        found: Sequence[Telemetry | Sequence[Item]]
        found = self._read_each(vendor.format.quick, vendor.format.decode, group, at)
        index: list[int | None] = []
        # Nearly always every message holds one item and all are fine; then no message is
        # looked at by itself.
        if set(map(type, found)) != {Telemetry}:
            found, index, message = self._spread(group, at, found)
            at, routes = at[message], routes[message]
        items = cast("list[Telemetry]", found)
        bike_ids = list(map(self._routes.bike_ids.__getitem__, routes.tolist()))
        bike = self._routes.bike[routes]
        strangers = self._name_bikes(vendor.vendor, items, bike, bike_ids)
        self._take_faults(group, strangers, at, bike_ids, index)
        if strangers:
            rows = [row for row in range(len(items)) if row not in strangers]
            at, bike, items = at[rows], bike[rows], [items[row] for row in rows]
            bike_ids, index = [bike_ids[row] for row in rows], [index[row] for row in rows if index]
        wrong = self._budgets[vendor.vendor].wrong
        batch, faults, notes = to_columns(
            bike,
            items,
            self._bounds,
            bike_ids=bike_ids,
            explained=wrong.left(self._at_ms),
            in_seconds=vendor.format.in_seconds,
        )
        self._notes.update({(vendor.vendor, name): count for name, count in notes.items()})
        self._take_faults(group, faults, at, bike_ids, index)
        wrong.take(len(faults) - len(batch), self._at_ms)
        if unread := len(items) - len(batch) - len(faults):
            self._refusals.unread(int(at[-1]), group, TOO_MANY_WRONG, unread)
        self._telemetry.append(in_wgs84(batch, vendor.datum))
        self._accepted[vendor.vendor] += len(batch)

    def _take_faults(
        self,
        group: Group,
        faults: Faults,
        at: NDArray[np.intp],
        bike_ids: list[str],
        index: list[int | None],
    ) -> None:
        for row, fault in faults.items():
            place = index[row] if index else None
            self._refusals.add(int(at[row]), group, fault, place, bike_ids[row])

    def _name_bikes(
        self, vendor: str, items: list[Telemetry], bike: NDArray[np.int32], bike_ids: list[str]
    ) -> Faults:
        """Enter the bikes that items on a topic of many bikes name; the faults of the others."""
        faults: Faults = {}
        for row in np.flatnonzero(bike == NAMED_INSIDE).tolist():
            device_id = items[row].device_id
            try:
                bike[row] = self._routes.named(vendor, device_id)
            except DecodeError as exc:
                faults[row] = exc
            if device_id is not None and is_level(device_id):
                bike_ids[row] = device_id
        return faults

    def _read_each(
        self,
        quick: Callable[[bytes], object],
        careful: Callable[[bytes, int], object],
        group: Group,
        at: NDArray[np.intp],
    ) -> list[Any]:
        """The items of each message, with an error for a bad one; none of what is refused."""
        found: list[object]
        found, failed = read_each(quick, self._payloads(at))
        wrong = self._budgets[group.vendor].wrong
        for place, nth in enumerate(failed):
            if not wrong.left(self._at_ms):
                unread = failed[place:]
                self._refusals.unread(int(at[nth]), group, TOO_MANY_WRONG, len(unread))
                for each in unread:
                    found[each] = []
                break
            payload = self._messages.payloads[at[nth]]
            try:
                found[nth] = said = careful(payload, self._limits.max_items)
                items = said if isinstance(said, list) else [said]
                faults = [isinstance(item, DecodeError) for item in items]
            except DecodeError as exc:
                self._refusals.add(int(at[nth]), group, exc)
                found[nth], faults = [], [True]
            # A long payload takes its time, whatever is in it.
            cost = max(sum(faults), len(payload) // ITEM_BYTES)
            wrong.take(cost - faults.count(False), self._at_ms)
        return found

    def _spread(
        self, group: Group, at: NDArray[np.intp], found: Sequence[Telemetry | Sequence[Item]]
    ) -> tuple[list[Telemetry], list[int | None], NDArray[np.intp]]:
        """Items one after the other, each one's index in its array, and which message it is of."""
        items: list[Telemetry] = []
        index: list[int | None] = []
        message: list[int] = []
        for nth, said in enumerate(found):
            if isinstance(said, Telemetry):
                items.append(said)
                index.append(None)
                message.append(nth)
                continue
            if len(said) > self._limits.max_items:
                said = [reading.too_many(len(said), self._limits.max_items)]
            for place, item in enumerate(said):
                if isinstance(item, DecodeError):
                    self._refusals.add(int(at[nth]), group, item)
                else:
                    items.append(item)
                    index.append(place)
                    message.append(nth)
        return items, index, np.array(message, np.intp)

    def _read_statuses(self, group: Group, at: NDArray[np.intp], routes: NDArray[np.intp]) -> None:
        received_at_ms = self._at_ms
        # A retained status may be of any age; only the unit of an old timestamp can be wrong.
        bounds = Bounds(PLAUSIBLE.oldest_ms, self._bounds.newest_ms)
        found: list[mds.StatusMessage | None]
        found = self._read_each(mds.quick_status, mds.decode_status, group, at)
        for position, number, said in zip(at.tolist(), routes.tolist(), found, strict=True):
            if not said:
                continue
            at_ms = received_at_ms if said.timestamp is None else said.timestamp
            if wrong := timestamp_fault(at_ms, bounds):
                self._refusals.add(position, group, wrong)
                continue
            # A last will was written when the connection began, long before it was sent.
            at_ms = at_ms if said.online else received_at_ms
            bike = int(self._routes.bike[number])
            self._statuses.append(Status(bike=bike, online=said.online, timestamp_ms=at_ms))

    def _read_events(self, group: Group, at: NDArray[np.intp], routes: NDArray[np.intp]) -> None:
        found: list[mds.MdsEvent | list[mds.MdsEvent | DecodeError]]
        found = self._read_each(mds.quick_events, mds.decode_events, group, at)
        for position, number, said in zip(at.tolist(), routes.tolist(), found, strict=True):
            if isinstance(said, mds.MdsEvent):
                self._take_event(position, group, number, said, None)
                continue
            if len(said) > self._limits.max_items:
                said = [reading.too_many(len(said), self._limits.max_items)]
            for index, event in enumerate(said):
                self._take_event(position, group, number, event, index)

    def _take_event(
        self,
        at: int,
        group: Group,
        number: int,
        event: mds.MdsEvent | DecodeError,
        index: int | None,
    ) -> None:
        if isinstance(event, DecodeError):
            self._refusals.add(at, group, event)
            return
        wrong = device_fault(event.device_id, self._routes.bike_ids[number]) or timestamp_fault(
            event.timestamp, self._bounds
        )
        if wrong:
            self._refusals.add(at, group, wrong, index)
            return
        bike = int(self._routes.bike[number])
        self._events.append(
            Event(bike=bike, vehicle_state=event.vehicle_state, timestamp_ms=event.timestamp)
        )

    def _payloads(self, at: NDArray[np.intp]) -> list[bytes]:
        payloads = self._messages.payloads
        if at.size == len(payloads):
            return payloads
        return [payloads[position] for position in at.tolist()]
