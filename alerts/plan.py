"""Which policy holds for a zone when: its policy, and the campaigns that override it.

Duty time, windows and deadlines are asked of the plan, not of one policy, because the
time since the last patrol may lie before a campaign and after it.

Where campaigns overlap the later one wins: of the configuration the one that is written later, and
orders (:mod:`alerts.orders`) come after all of it. A pause lies over whichever campaign is in
force.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.errors import PolicyError, Problem
from alerts.policy import Campaign, Policy, overridden, parse_campaign, parse_policy
from geofence.windows import Window

_FOREVER_MS = 1 << 62

Segments = Sequence[tuple[int, Policy]]
"""Start of each policy [ms], ascending, and the policy; the first holds before as well."""

Versions = Sequence[tuple[int, str | None]]
"""Start of each policy of a zone [ms], ascending; None while there is no such zone."""

GONE = "no such zone"
"""The reason of the pause of a zone that does not exist at the time."""


class Judged(NamedTuple):
    """A window that ended and the policy that was in force at its end."""

    window: Window
    policy: Policy


class ZonePlan:
    """The policies of a zone through time."""

    def __init__(self, policies: Segments) -> None:
        self._starts = [from_ms for from_ms, _ in policies]
        self.policies = [policy for _, policy in policies]

    def policy_at(self, at_ms: int) -> Policy:
        """The policy in force at an instant; before the first, the first."""
        if len(self.policies) == 1:
            return self.policies[0]
        return self.policies[max(0, bisect_right(self._starts, at_ms) - 1)]

    def on_duty(self, at_ms: int) -> bool:
        """Whether there is duty at an instant: in patrol hours, no exception, no pause."""
        policy = self.policy_at(at_ms)
        return not policy.paused and policy.hours.contains(at_ms)

    def exception_at(self, at_ms: int) -> str | None:
        """The words of the exception from patrol hours in force at an instant, else None."""
        exception = self.policy_at(at_ms).hours.exception_at(at_ms)
        return None if exception is None else exception.summary

    def duty_s(self, from_ms: int, to_ms: int) -> float:
        """Duty time in ``[from_ms, to_ms)`` [s]."""
        if len(self.policies) == 1 and not self.policies[0].paused:
            return self.policies[0].hours.duty_s(from_ms, to_ms)
        return sum(
            policy.hours.duty_s(start, end)
            for start, end, policy in self.parts(from_ms, to_ms)
            if not policy.paused
        )

    def duty(self, from_ms: int, to_ms: int) -> Iterator[Window]:
        """The stretches of duty within ``[from_ms, to_ms)``, in order; two may touch."""
        for start, end, policy in self.parts(from_ms, to_ms):
            if not policy.paused:
                yield from policy.hours.duty(start, end)

    def advance(self, from_ms: int, duty_s: float) -> int | None:
        """The first instant by which `duty_s` of duty have passed [ms]; None over a year ahead."""
        left_ms = round(duty_s * 1000)
        if left_ms <= 0:
            return from_ms
        for start, end, policy in self.parts(from_ms, _FOREVER_MS):
            if policy.paused:
                continue
            reached = policy.hours.advance(start, left_ms)
            if reached is not None and reached <= end:
                return reached
            if end == _FOREVER_MS:
                break
            left_ms -= policy.hours.duty_ms(start, end)
        return None

    def paused_until_ms(self, at_ms: int) -> int | None:
        """The end of the pause in force [ms]; None when there is none, or it has no end."""
        if not self.policy_at(at_ms).paused:
            return None
        later = self.parts(at_ms, _FOREVER_MS)
        return next((start for start, _, policy in later if not policy.paused), None)

    def window_at(self, at_ms: int) -> Window | None:
        """The window of the policy in force; between shifts, the one that ended last, or None."""
        policy = self.policy_at(at_ms)
        return policy.hours.window_at(policy.window, at_ms)

    def windows_ended(self, after_ms: int, until_ms: int) -> list[Judged]:
        """Windows that ended in ``(after_ms, until_ms]``, in the order of their ends.

        A window belongs to the policy in force at its end.
        """
        return [
            Judged(window, policy)
            for start, end, policy in self.parts(after_ms, until_ms)
            for window in policy.hours.windows_ended(policy.window, start, end)
        ]

    def parts(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, Policy]]:
        """``[from_ms, to_ms)`` cut where the policy changes: start, end, and the policy between."""
        first = max(0, bisect_right(self._starts, from_ms) - 1)
        for index in range(first, len(self.policies)):
            last = index + 1 == len(self.policies)
            start = from_ms if index == first else self._starts[index]
            end = to_ms if last else min(to_ms, self._starts[index + 1])
            if start < end:
                yield start, end, self.policies[index]
            if end >= to_ms:
                return


class Policies:
    """The plans of all zones.

    They change in place (:meth:`follow`) when people order something or redraw a zone, so whoever
    holds the object and asks it each time follows. A :class:`ZonePlan` never changes: a thread of
    its own asks for it once.
    """

    def __init__(
        self,
        plans: Mapping[str, ZonePlan],  # by zone id; zones of which the same is asked share one
        campaigns: Sequence[Campaign],  # those of the configuration
        again: Callable[..., Policies],  # :meth:`parse` of the same configuration
    ) -> None:
        self._plans = dict(plans)
        self._distinct = list({id(plan): plan for plan in plans.values()}.values())
        self.campaigns = tuple(campaigns)
        self._again = again

    @classmethod
    def parse(
        cls,
        zones: Mapping[str, str | Versions],
        policies: Mapping[str, Mapping[str, object]],
        tz: ZoneInfo,
        *,
        campaigns: Mapping[str, Mapping[str, object]] | None = None,
        calendars: Mapping[str, str] | None = None,
        orders: Sequence[Campaign] = (),
    ) -> Policies:
        """The plans from the sections of the configuration, and the orders over them.

        `zones` has the policy of each zone, by zone id; or from when on it has which [ms], None
        while there is no such zone. `tz` and `calendars` are as in :func:`parse_policy`. Of
        `orders`, which people have given in that order, a zone that is gone is left out.

        PolicyError: with everything that is wrong in any section, each with its key.
        """
        problems: list[Problem] = []
        parsed: dict[str, Policy] = {}
        for name, keys in policies.items():
            try:
                parsed[name] = parse_policy(name, keys, tz, calendars)
            except PolicyError as exc:
                problems += exc.problems
        read: list[Campaign] = []
        for name, keys in (campaigns or {}).items():
            try:
                read.append(campaign := parse_campaign(name, keys, tz))
            except PolicyError as exc:
                problems += exc.problems
                continue
            problems += [
                Problem(f"campaigns.{name}.zones", f"there is no zone {zone_id!r}")
                for zone_id in campaign.zones
                if zone_id not in zones
            ]
        over = (*read, *orders)
        plans: dict[tuple[Versions, tuple[int, ...]], ZonePlan] = {}
        chosen: dict[str, tuple[Versions, tuple[int, ...]]] = {}
        for zone_id, given in zones.items():
            versions = ((0, given),) if isinstance(given, str) else tuple(given)
            own = [campaign for campaign in over if zone_id in campaign.zones]
            key = (versions, tuple(id(campaign) for campaign in own))
            chosen[zone_id] = key
            names = {name for _, name in versions if name is not None}
            problems += [
                Problem(f"zone {zone_id}", f"there is no policy {name!r}")
                for name in sorted(names - policies.keys())
            ]
            if names <= parsed.keys() and key not in plans:
                try:
                    held = {
                        name: layered(parsed[name], policies[name], own, tz, calendars)
                        for name in names
                    }
                except PolicyError as exc:
                    problems += exc.problems
                    continue
                plans[key] = ZonePlan(
                    succession([(at_ms, held[name] if name else None) for at_ms, name in versions])
                )
        if problems:
            raise PolicyError(list(dict.fromkeys(problems)))
        again = partial(cls.parse, zones, policies, tz, campaigns=campaigns, calendars=calendars)
        return cls({zone_id: plans[key] for zone_id, key in chosen.items()}, read, again)

    def under(self, orders: Sequence[Campaign]) -> Policies:
        """The plans of the same configuration under these orders, which replace earlier ones.

        PolicyError: with every key of an order that is wrong.
        """
        return self._again(orders=orders)

    def follow(self, other: Policies) -> None:
        """Take over the plans of another one in place, so that all holders of this follow."""
        self._plans, self._distinct = other._plans, other._distinct
        self.campaigns, self._again = other.campaigns, other._again

    @property
    def troubles(self) -> list[str]:
        """Events of calendars that could not be computed and have no effect, by policy."""
        policies = (policy for plan in self._distinct for policy in plan.policies)
        return sorted({f"policy {p.name}: {t}" for p in policies for t in p.hours.troubles})

    def plan(self, zone_id: str) -> ZonePlan:
        """The plan of a zone; KeyError when there is none."""
        return self._plans[zone_id]

    @property
    def zones(self) -> tuple[str, ...]:
        """Ids of the zones that have a plan."""
        return tuple(self._plans)

    def __contains__(self, zone_id: str) -> bool:
        return zone_id in self._plans

    def on_duty(self, at_ms: int) -> bool:
        """Whether there is duty in any zone at an instant."""
        return any(plan.on_duty(at_ms) for plan in self._distinct)

    def duty_s(self, from_ms: int, to_ms: int) -> float:
        """Duty time in ``[from_ms, to_ms)`` of the zone that has most of it [s].

        The silence of a bike, which is of no zone, is counted over this.
        """
        return max((plan.duty_s(from_ms, to_ms) for plan in self._distinct), default=0.0)

    def of(self, zone_id: str | None) -> ZonePlan | Policies:
        """Duty of a zone, or of the district for None and unknown zones."""
        return self if zone_id is None else self._plans.get(zone_id, self)

    def policy_for(self, zone_id: str, at_ms: int) -> Policy:
        """The policy in force for a zone at an instant; KeyError for an unknown zone."""
        return self._plans[zone_id].policy_at(at_ms)


def layered(
    policy: Policy,
    base: Mapping[str, object],
    campaigns: Sequence[Campaign],
    tz: ZoneInfo,
    calendars: Mapping[str, str] | None = None,
) -> list[tuple[int, Policy]]:
    """The segments of `policy`, whose section is `base`, under campaigns, later over earlier ones.

    A campaign that was ended before it began is never in force. PolicyError has the keys of the
    first campaign that has wrong ones.
    """
    under = [overridden(policy, base, campaign, tz, calendars) for campaign in campaigns]
    edges: dict[int, list[int]] = {}
    for index, campaign in enumerate(campaigns):
        if campaign.from_ms < campaign.to_ms:
            edges.setdefault(campaign.from_ms, []).append(index)
            edges.setdefault(campaign.to_ms, []).append(index)
    segments = [(min(edges, default=0), policy)]
    running: list[int] = []
    pauses: list[int] = []
    for edge in sorted(edges):
        for index in edges[edge]:
            on = pauses if campaigns[index].keys.get("paused") else running
            if index in on:
                on.remove(index)
            else:
                insort(on, index)
        held = under[running[-1]] if running else policy
        if pauses:
            held = replace(held, paused=under[pauses[-1]].paused)
        segments.append((edge, held))
    return segments


def succession(parts: Sequence[tuple[int, Segments | None]]) -> list[tuple[int, Policy]]:
    """The segments of a zone through all its versions.

    `parts` says from when on [ms], ascending, what holds by each version with its campaigns. None
    while there is no such zone: then there is no duty.
    """
    there = [segments for _, segments in parts if segments is not None]
    found: list[tuple[int, Policy]] = []
    ends = [*(from_ms for from_ms, _ in parts[1:]), _FOREVER_MS]
    for (from_ms, own), end_ms in zip(parts, ends, strict=True):
        if own is None:
            last = found[-1][1] if found else there[0][0][1]
            found.append((from_ms, replace(last, paused=GONE)))
            continue
        if found:
            begun = max(0, bisect_right([at_ms for at_ms, _ in own], from_ms) - 1)
            own = [(from_ms, own[begun][1]), *own[begun + 1 :]]
        found += [(at_ms, policy) for at_ms, policy in own if at_ms < end_ms]
    return found
