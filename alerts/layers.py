"""What holds when campaigns lie over a policy, and over each other.

Where they overlap the later one wins: of the configuration the one that is written later, and
what people order (:mod:`alerts.orders`) comes after all of it. A pause lies over whichever
campaign is in force.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from alerts.policy import Campaign, Policy, overridden


def layered(
    policy: Policy,
    base: Mapping[str, object],
    campaigns: Sequence[Campaign],
    tz: ZoneInfo,
    calendars: Mapping[str, str] | None = None,
) -> list[tuple[int, Policy]]:
    """From when on each policy is in force [ms], ascending; the first holds before that as well.

    Parameters
    ----------
    policy, base : Policy, mapping
        What holds without a campaign, and its section.
    campaigns : sequence of Campaign
        Later ones over earlier ones. One that was ended before it began is never in force.
    tz, calendars
        As in :func:`alerts.policy.parse_policy`.

    Raises
    ------
    PolicyError
        With the keys of the first campaign that has wrong ones.
    """
    under = [
        _paused(policy, campaign) or overridden(policy, base, campaign, tz, calendars)
        for campaign in campaigns
    ]
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


def _paused(policy: Policy, campaign: Campaign) -> Policy | None:
    """The policy under what only pauses it: there are many of these, and nothing to be read."""
    why = campaign.keys.get("paused")
    if len(campaign.keys) == 1 and isinstance(why, str):
        return replace(policy, paused=why)
    return None
