"""Notification of people and programs about the transitions of alerts.

A transition and the outbox rows for the channels that want it are written together; the
outbox delivers them until each has arrived. Duplicates are possible, misses are not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from alerts.alert import Alert, Notice
from alerts.bulletin import Case
from alerts.lifecycle import Event
from alerts.store.outbox import Channel

UNHEARD: Final = frozenset[Event]({"raise", "drop"})
"""Events of a pending alert: nobody is told of them."""


class Notifier(Channel, Protocol):
    """A channel with a way to it. Several sends may be under way at once, one per lane."""

    async def send(self, *notices: Notice, count: int = 1) -> None:
        """Tell people of `count` notices of one rule and transition, the first given, or programs
        of one.

        Return once it has arrived; NotificationFailed to be called again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which notices a channel wants; None wants all of a kind."""

    severities: Collection[str] | None = None
    rules: Collection[str] | None = None
    zones: Collection[str] | None = None
    events: Collection[Event] | None = None

    def passes(self, notice: Notice) -> bool:
        """Whether a notice is wanted; never one of a pending alert.

        Who is told of something is told when it is undone.
        """
        event = notice.transition.news
        told = event not in UNHEARD and (self.events is None or event in self.events)
        return told and self.concerns(notice.alert)

    def concerns(self, alert: Alert | Case) -> bool:
        """Whether notices of such alerts are wanted."""
        return all(
            wanted is None or value in wanted
            for value, wanted in (
                (alert.severity, self.severities),
                (alert.rule, self.rules),
                (alert.zone_id, self.zones),
            )
        )
