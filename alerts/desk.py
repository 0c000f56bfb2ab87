"""The desk that makes bulletins when they are due, for each recipient once.

The calendar and the bulletins in the book say which are due, so the desk makes those that came due
while the program did not run when it runs again. A daily reminder lists the alerts that are open
now, so the desk makes one for several that were missed, and it says how many it stands for; of
weekly and monthly bulletins it makes each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from alerts.bulletin import Bulletin, compiled, suppression, zone_coverage
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.periods import Kind, Period, due_between, local_day, next_due_ms, period_of
from alerts.plan import Policies
from alerts.store import outbox
from alerts.store.book import AlertBook
from geofence.record import Record

CATCH_UP: Final[Mapping[Kind, int]] = {"daily": 1, "weekly": 5, "monthly": 12}
"""Missed bulletins of each kind that are made; the first contains those before it."""

log = structlog.get_logger(__name__)


class BulletinDesk:
    """Makes bulletins; for one thread."""

    def __init__(
        self,
        book: AlertBook,
        policies: Policies,
        record_at: Callable[[int], Record] | None,  # as of now [ms]; None: coverage is left out
        subscribers: Sequence[AppriseNotifier],  # may change
        tz: ZoneInfo,
    ) -> None:
        self._book = book
        self._policies = policies
        self._record_at = record_at
        self._subscribers = subscribers
        self._tz = tz
        self._next: dict[tuple[str, Kind], int] = {}
        self._asked_ms = 0

    def issue(self, now_ms: int) -> list[Bulletin]:
        """Make the bulletins that are due; durable, and in the outbox, on return.

        BookUnavailable: call again later: bulletins that were not made are still due.
        """
        made = []
        if now_ms < self._asked_ms:
            self._next.clear()  # the clock was set back
        self._asked_ms = now_ms
        for who in self._subscribers:
            for kind in who.bulletins:
                if now_ms >= self._next.get((who.name, kind), 0):
                    made += self._issue(who, kind, now_ms)
        return made

    def compile(
        self,
        period: Period,
        now_ms: int,
        *,
        who: AppriseNotifier | None = None,
        due_ms: int | None = None,
        missed: int = 0,
    ) -> Bulletin:
        """A bulletin about any period, for one recipient or for everybody; nothing is kept.

        `due_ms` is when it was due, `missed` how many before it were not made. BookUnavailable: the
        book cannot be read now.
        """
        today = period_of("daily", local_day(now_ms, self._tz), self._tz)
        day = today.from_ms, today.to_ms
        concerns = (who or Filter()).concerns
        coverage = []
        if period.kind != "daily" and self._record_at is not None:
            coverage = zone_coverage(period, self._policies, self._record_at(now_ms))
        return compiled(
            period,
            filter(concerns, outbox.raised_in(self._book.file, period)),
            filter(concerns, self._book.current()),
            lambda alert: suppression(alert, self._policies, day, now_ms),
            coverage,
            now_ms,
            due_ms=due_ms,
            missed=missed,
        )

    def _issue(self, who: AppriseNotifier, kind: Kind, now_ms: int) -> list[Bulletin]:
        file, at_min = self._book.file, who.bulletins_at_min
        settled_ms = outbox.settled_ms(file, who.name, kind, now_ms)
        due = due_between(kind, settled_ms, now_ms, at_min, self._tz)
        made = []
        for index, (due_ms, period) in enumerate(due[-CATCH_UP[kind] :]):
            missed = len(due) - CATCH_UP[kind] if index == 0 else 0
            bulletin = self.compile(period, now_ms, who=who, due_ms=due_ms, missed=max(0, missed))
            outbox.issue(file, who.name, bulletin, due_ms)
            made.append(bulletin)
            log.info(
                "bulletin",
                recipient=who.name,
                kind=kind,
                period=period.name,
                verdict=bulletin.verdict,
                suppressed={held.reason: len(held.alerts) for held in bulletin.suppressed},
            )
        self._next[who.name, kind] = next_due_ms(kind, now_ms, at_min, self._tz)
        return made
