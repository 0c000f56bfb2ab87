"""Orders of people while the station runs: pauses and campaigns.

An order overrides the policy of some zones between two instants, as a campaign of the
configuration does, and lies over all of that. It is a row of the book's file that never changes;
ending it early is another. No order begins in the past, so no window is judged anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import structlog

from alerts.errors import OrderRefused, PolicyError, Problem, UnknownOrder
from alerts.plan import Policies
from alerts.policy import CAMPAIGN_KEYS, Campaign, parse_campaign
from alerts.store.book_file import BookFile
from words.times import held_ms

Kind = Literal["campaign", "pause"]
State = Literal["planned", "in_force", "over"]

REFUSALS: Final[Mapping[str, str]] = {
    "configured": "it stands in the configuration: change it there and start the station again",
    "already_over": "it has ended before",
    "not_paused": "no pause is in force for the zone",
}
"""Why an order cannot be ended, and what that means to people."""

MAX_NAME: Final = 64

log = structlog.get_logger(__name__)

_ORDERS = (
    "SELECT o.number, o.name, o.kind, o.zones, o.from_ms, o.to_ms, o.keys, o.reason, o.actor, "
    "o.at_ms, e.actor, e.at_ms, e.reason FROM patrol_order o LEFT JOIN order_end e USING (number) "
    "ORDER BY o.number"
)
_INSERT = (
    "INSERT INTO patrol_order (name, kind, zones, from_ms, to_ms, keys, reason, actor, at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A pause or a campaign: who ordered what for which zones from when to when, and why."""

    number: int = 0  # ascending in the order in which they were given; 0 of the configuration
    name: str
    kind: Kind
    zones: tuple[str, ...]
    from_ms: int
    to_ms: int  # unless it was ended before
    keys: dict[str, object]  # of a policy, as written
    reason: str = ""
    ordered_by: str | None = None  # None of the configuration
    ordered_at_ms: int | None = None
    ended_by: str | None = None  # before its time
    ended_at_ms: int | None = None
    end_reason: str = ""

    @property
    def until_ms(self) -> int:
        """The end of the order [ms]; before `from_ms` when it was never in force."""
        return self.to_ms if self.ended_at_ms is None else min(self.to_ms, self.ended_at_ms)

    @property
    def campaign(self) -> Campaign:
        """The order as a campaign over the policies."""
        return Campaign(self.name, self.zones, self.from_ms, self.until_ms, self.keys)

    def state(self, now_ms: int) -> State:
        """Whether the order is planned, in force, or over at an instant."""
        if now_ms >= self.until_ms:
            return "over"
        return "planned" if now_ms < self.from_ms else "in_force"


class Orders:
    """All orders, and the way to give and to end them. Not safe for several threads.

    An order that has something wrong is refused by a PolicyError with all of it. When the book
    cannot be written, BookUnavailable says so, and nothing was ordered or ended. The policies are
    planned anew in place at once, and whenever something is ordered or ended.

    One that is no longer understood, because an older version gave it, is listed and has no effect.

    BookUnavailable, BookUnreadable: they cannot be read.
    """

    def __init__(self, file: BookFile, policies: Policies, tz: ZoneInfo) -> None:
        self._file = file
        self._policies = policies
        self._tz = tz
        self._given = _read(file)
        self._aside: set[int] = set()
        try:
            policies.follow(policies.under(self.campaigns))
        except PolicyError:
            for order in self._given:
                try:
                    policies.under([order.campaign])
                except PolicyError as exc:
                    self._aside.add(order.number)
                    log.warning("an order has no effect", order=order.name, trouble=str(exc))
            policies.follow(policies.under(self.campaigns))

    @property
    def campaigns(self) -> list[Campaign]:
        """All orders as campaigns, the later over the earlier."""
        return self._in_effect(self._given)

    def all(self) -> list[Order]:
        """Campaigns of the configuration, then orders: the later over the earlier."""
        return [*map(_configured, self._policies.campaigns), *self._given]

    def pause(
        self,
        zone_id: str,
        actor: str,
        now_ms: int,
        *,
        reason: str,
        until: object,
        from_: object = None,
    ) -> Order:
        """Pause a zone from an instant (None: now) to another, as ``from`` and ``to`` are written.

        See :func:`alerts.policy.parse_campaign`; errors are those of the class.
        """
        taken = {order.name for order in self.all()}
        number = len(self._given) + 1
        while (name := f"pause-{zone_id}-{number}") in taken:
            number += 1
        keys = {"zones": [zone_id], "from": from_, "to": until, "paused": reason}
        return self._give("pause", name, keys, actor, now_ms, reason)

    def start(
        self, name: str, keys: Mapping[str, object], actor: str, now_ms: int, *, reason: str = ""
    ) -> Order:
        """Start a campaign with the keys of a section ``[campaigns.*]``; by default it begins now.

        The name must be that of no order that is not over.
        """
        return self._give("campaign", name, keys, actor, now_ms, reason)

    def resume(self, zone_id: str, actor: str, now_ms: int, *, reason: str = "") -> list[Order]:
        """End the ordered pauses of a zone now, also beside a pause of the configuration.

        OrderRefused: nobody has ordered a pause that is in force.
        """
        pauses = [
            order
            for order in self._given
            if order.kind == "pause"
            and zone_id in order.zones
            and order.state(now_ms) == "in_force"
        ]
        if not pauses:
            paused = self._policies.policy_for(zone_id, now_ms).paused
            raise _refused("configured" if paused else "not_paused")
        return self._end(pauses, actor, now_ms, reason)

    def end(self, name: str, actor: str, now_ms: int, *, reason: str = "") -> Order:
        """End an order now; one that is planned never comes into force.

        UnknownOrder: there never was one of this name.
        OrderRefused: it is over, or stands in the configuration.
        """
        named = [order for order in self.all() if order.name == name]
        current = [order for order in named if order.state(now_ms) != "over"]
        if not named:
            raise UnknownOrder(f"there is no campaign {name}")
        if not current:
            raise _refused("already_over")
        if not current[-1].number:
            raise _refused("configured")
        (ended,) = self._end(current[-1:], actor, now_ms, reason)
        return ended

    def _give(
        self,
        kind: Kind,
        name: str,
        keys: Mapping[str, object],
        actor: str,
        now_ms: int,
        reason: str,
    ) -> Order:
        begins = keys.get("from")
        if begins is None:
            begins = datetime.fromtimestamp(now_ms / 1000, self._tz)
        campaign = self._checked(name, {**keys, "from": begins}, now_ms)
        planned = self._policies.under([*self.campaigns, campaign])
        order = Order(
            name=name,
            kind=kind,
            zones=tuple(dict.fromkeys(campaign.zones)),
            from_ms=campaign.from_ms,
            to_ms=campaign.to_ms,
            keys=dict(campaign.keys),
            reason=reason,
            ordered_by=actor,
            ordered_at_ms=now_ms,
        )
        with self._file.transaction() as db:
            number = db.execute(_INSERT, _row(order)).lastrowid
        order = msgspec.structs.replace(order, number=number)
        self._given.append(order)
        self._policies.follow(planned)
        return order

    def _end(self, orders: Sequence[Order], actor: str, now_ms: int, reason: str) -> list[Order]:
        ended = {
            order.number: msgspec.structs.replace(
                order, ended_by=actor, ended_at_ms=now_ms, end_reason=reason
            )
            for order in orders
        }
        given = [ended.get(order.number, order) for order in self._given]
        planned = self._policies.under(self._in_effect(given))
        with self._file.transaction() as db:
            db.executemany(
                "INSERT INTO order_end (number, actor, at_ms, reason) VALUES (?, ?, ?, ?)",
                [(number, actor, now_ms, reason) for number in ended],
            )
        self._given = given
        self._policies.follow(planned)
        return list(ended.values())

    def _in_effect(self, orders: Sequence[Order]) -> list[Campaign]:
        return [order.campaign for order in orders if order.number not in self._aside]

    def _checked(self, name: str, keys: Mapping[str, object], now_ms: int) -> Campaign:
        """The campaign of an order; PolicyError with everything that is wrong."""
        problems: list[Problem] = []
        if not 0 < len(name) <= MAX_NAME or not name.isprintable() or "/" in name:
            form = f'must be 1 to {MAX_NAME} characters, without line breaks and "/"'
            problems.append(Problem("name", form))
        elif any(each.name == name and each.state(now_ms) != "over" for each in self.all()):
            problems.append(Problem("name", "is that of a campaign that is not over; take another"))
        rest = {key: value for key, value in keys.items() if key not in CAMPAIGN_KEYS}
        if not rest:
            problems.append(Problem("", "changes nothing; give at least one key of a policy"))
        campaign = None
        known: list[str] = []
        where = f"campaigns.{name}."
        try:
            campaign = parse_campaign(name, keys, self._tz)
        except PolicyError as exc:
            problems += exc.problems
        else:
            if campaign.from_ms < now_ms:
                past = "must not lie in the past; leave it out to begin now"
                problems.append(Problem("from", past))
            for zone_id in campaign.zones:
                if zone_id in self._policies:
                    known.append(zone_id)
                else:
                    problems.append(Problem("zones", f"there is no zone {zone_id!r}"))
        trial = Campaign(name, tuple(known) or self._policies.zones, 0, 1, rest)
        try:
            self._policies.under([trial])
        except PolicyError as exc:
            problems += exc.problems
        if campaign is None or problems:
            found = [Problem(each.where.removeprefix(where), each.message) for each in problems]
            raise PolicyError(list(dict.fromkeys(found)))
        return campaign


def _configured(campaign: Campaign) -> Order:
    paused = str(campaign.keys.get("paused") or "")
    return Order(
        name=campaign.name,
        kind="pause" if paused else "campaign",
        zones=campaign.zones,
        from_ms=campaign.from_ms,
        to_ms=campaign.to_ms,
        keys=dict(campaign.keys),
        reason=paused,
    )


def _refused(reason: str) -> OrderRefused:
    return OrderRefused(reason, REFUSALS[reason])


def _row(order: Order) -> tuple[object, ...]:
    zones, keys = (msgspec.json.encode(value).decode() for value in (order.zones, order.keys))
    what = (order.name, order.kind, zones, order.from_ms, order.to_ms, keys)
    return (*what, order.reason, order.ordered_by, order.ordered_at_ms)


def _read(file: BookFile) -> list[Order]:
    """All orders, in the order in which they were given."""
    with file.reading() as db:
        rows = db.execute(_ORDERS).fetchall()
    orders = []
    for row in rows:
        values = dict(zip(Order.__struct_fields__, row, strict=True))
        values["zones"] = msgspec.json.decode(values["zones"], type=tuple[str, ...])
        values["keys"] = msgspec.json.decode(values["keys"], type=dict[str, object])
        values["end_reason"] = values["end_reason"] or ""
        # An older version kept instants that no calendar can show.
        values["from_ms"], values["to_ms"] = held_ms(values["from_ms"]), held_ms(values["to_ms"])
        orders.append(Order(**values))
    return orders
