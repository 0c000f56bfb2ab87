"""Orders in the book's file: what was ordered, and what was ended before its time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

import msgspec

from alerts.book_file import BookFile
from alerts.policy import Campaign

Kind = Literal["campaign", "pause"]
State = Literal["planned", "in_force", "over"]

_ORDERS = (
    "SELECT o.number, o.name, o.kind, o.zones, o.from_ms, o.to_ms, o.keys, o.reason, o.actor, "
    "o.at_ms, e.actor, e.at_ms, e.reason FROM patrol_order o LEFT JOIN order_end e USING (number) "
    "ORDER BY o.number"
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A pause or a campaign: who ordered what for which zones from when to when, and why.

    Attributes
    ----------
    number : int
        Ascending in the order in which they were given; 0 of the configuration.
    name, kind : str
        What it is called; ``campaign`` or ``pause``.
    zones : tuple of str
        Zone ids.
    from_ms, to_ms : int
        When it is in force, unless it was ended before [ms].
    keys : dict
        Keys of a policy, as written.
    reason : str
        What the person wrote.
    ordered_by, ordered_at_ms
        Who, when [ms]; None of the configuration.
    ended_by, ended_at_ms, end_reason
        Who ended it before its time, when [ms] and why.
    """

    number: int = 0
    name: str
    kind: Kind
    zones: tuple[str, ...]
    from_ms: int
    to_ms: int
    keys: dict[str, object]
    reason: str = ""
    ordered_by: str | None = None
    ordered_at_ms: int | None = None
    ended_by: str | None = None
    ended_at_ms: int | None = None
    end_reason: str = ""

    @property
    def until_ms(self) -> int:
        """When it ends, or has ended [ms]; before `from_ms` when it was never in force."""
        return self.to_ms if self.ended_at_ms is None else min(self.to_ms, self.ended_at_ms)

    @property
    def campaign(self) -> Campaign:
        """What it does to the policies."""
        return Campaign(self.name, self.zones, self.from_ms, self.until_ms, self.keys)

    def state(self, now_ms: int) -> State:
        """Whether it is to come, holds, or is over."""
        if now_ms >= self.until_ms:
            return "over"
        return "planned" if now_ms < self.from_ms else "in_force"


def insert(db: sqlite3.Connection, order: Order) -> Order:
    """Append an order; returns it with its number."""
    zones, keys = (msgspec.json.encode(value).decode() for value in (order.zones, order.keys))
    made = db.execute(
        "INSERT INTO patrol_order (name, kind, zones, from_ms, to_ms, keys, reason, actor, at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(order.name, order.kind, zones, order.from_ms, order.to_ms, keys),
            *(order.reason, order.ordered_by, order.ordered_at_ms),
        ),
    )
    return msgspec.structs.replace(order, number=made.lastrowid)


def insert_ends(db: sqlite3.Connection, orders: Iterable[Order]) -> None:
    """Append that orders were ended."""
    db.executemany(
        "INSERT INTO order_end (number, actor, at_ms, reason) VALUES (?, ?, ?, ?)",
        [(each.number, each.ended_by, each.ended_at_ms, each.end_reason) for each in orders],
    )


def read(file: BookFile) -> list[Order]:
    """All orders, in the order in which they were given."""
    with file.reading() as db:
        rows = db.execute(_ORDERS).fetchall()
    return [
        Order(
            number=number,
            name=name,
            kind=kind,
            zones=msgspec.json.decode(zones, type=tuple[str, ...]),
            from_ms=from_ms,
            to_ms=to_ms,
            keys=msgspec.json.decode(keys, type=dict[str, object]),
            reason=reason,
            ordered_by=actor,
            ordered_at_ms=at_ms,
            ended_by=ended_by,
            ended_at_ms=ended_at_ms,
            end_reason=end_reason or "",
        )
        for (number, name, kind, zones, from_ms, to_ms, keys, reason, actor, at_ms, *end) in rows
        for ended_by, ended_at_ms, end_reason in [end]
    ]
