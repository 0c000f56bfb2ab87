"""Groups of notices for people: 3,000 bikes that fall silent are one message.

Notices of one rule, severity and transition are gathered for a short time and told together. When
more of them come soon after, each gathering takes twice as long as the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerts.store.outbox import LAST_RETRY_MS, Waiting

GATHER_MS: Final = 3_000
"""The first notice of a group waits so long for others [ms]."""
SHOWN: Final = 5
"""Alerts of a group that a message writes out; the others are counted."""


class Gathering:
    """Gathers the rows of a channel; when `gather_ms` is None each row is alone.

    Times are those it is given [ms].
    """

    def __init__(self, gather_ms: int | None = GATHER_MS) -> None:
        self._gather_ms = gather_ms
        self.limit = 64 if gather_ms is None else 10_000  # rows that are looked at together
        self._since: dict[str, int] = {}  # when the first row of a group was seen
        self._last: dict[str, tuple[int, int]] = {}  # when a group was last told, and its wait

    def ripe(self, rows: Iterable[Waiting], now_ms: int) -> list[list[Waiting]]:
        """The messages that are due at `now_ms` [ms], each with its rows in order.

        What failed before waits for nothing more.
        """
        groups: dict[str, list[Waiting]] = {}
        found = []
        for row in rows:
            if self._gather_ms is None or row.group is None:
                found.append([row])
            else:
                groups.setdefault(row.group, []).append(row)
        self._since = {name: min(now_ms, self._since.get(name, now_ms)) for name in groups}
        for name, group in groups.items():
            wait_ms = self._wait_ms(name)
            if now_ms - self._since[name] >= wait_ms or any(row.attempts for row in group):
                self._last[name] = now_ms, wait_ms
                del self._since[name]
                found.append(group)
        return found

    def next_ms(self) -> int | None:
        """When the next group is due [ms]; None when none is gathered."""
        return min(
            (at_ms + self._wait_ms(name) for name, at_ms in self._since.items()), default=None
        )

    def _wait_ms(self, name: str) -> int:
        last_ms, wait_ms = self._last.get(name, (0, 0))
        soon = 0 <= self._since[name] - last_ms <= 2 * wait_ms
        return min(2 * wait_ms, LAST_RETRY_MS) if soon else self._gather_ms or 0
