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
    """Gathers the rows of one channel. Pure: times are those it is given [ms]."""

    def __init__(self, gather_ms: int = GATHER_MS) -> None:
        self._gather_ms = gather_ms
        self._since: dict[str, int] = {}  # when the first row of a group was seen
        self._last: dict[str, tuple[int, int]] = {}  # when a group was last told, and its wait

    def ripe(self, rows: Iterable[Waiting], now_ms: int) -> list[list[Waiting]]:
        """The messages that are to be sent now, each with its rows in order.

        A bulletin is a message of its own, and what failed before waits for nothing more.
        """
        groups: dict[str, list[Waiting]] = {}
        for row in rows:
            groups.setdefault(row.group or f"bulletin {row.bulletin}", []).append(row)
        self._since = {name: min(now_ms, self._since.get(name, now_ms)) for name in groups}
        found = []
        for name, group in groups.items():
            wait_ms = self._wait_ms(name)
            at_once = group[0].group is None or any(row.attempts for row in group)
            if at_once or now_ms - self._since[name] >= wait_ms:
                self._last[name] = now_ms, wait_ms
                del self._since[name]
                found.append(group)
        return found

    def next_ms(self) -> int | None:
        """When the next group is ripe; None when none is gathered."""
        return min(
            (at_ms + self._wait_ms(name) for name, at_ms in self._since.items()), default=None
        )

    def _wait_ms(self, name: str) -> int:
        last_ms, wait_ms = self._last.get(name, (0, 0))
        soon = 0 <= self._since[name] - last_ms <= 2 * wait_ms
        return min(2 * wait_ms, LAST_RETRY_MS) if soon else self._gather_ms
