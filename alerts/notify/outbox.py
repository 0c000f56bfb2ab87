"""The outbox: what must still be told, and the worker that tells it until it has arrived.

Rows enter in the transaction of the transition or bulletin they are about, so a crash loses
neither or both. A row leaves when its notifier returned; a crash just before that tells it again.
Within a lane (channel, zone, rule) rows go in order; lanes do not wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from alerts import bulletin_rows
from alerts.errors import BookUnavailable, NotificationFailed
from alerts.notify import Channel, Notice, Notifier, Reader

if TYPE_CHECKING:
    from alerts.book import AlertBook

FIRST_RETRY_MS = 1_000
LAST_RETRY_MS = 300_000
BATCH = 64

_WAITING = "SELECT DISTINCT channel FROM outbox WHERE delivered_at_ms IS NULL"
_GIVE_UP = (
    "UPDATE outbox SET delivered_at_ms = 0, error = 'the channel is no longer configured' "
    "WHERE delivered_at_ms IS NULL AND channel = ?"
)

log = structlog.get_logger(__name__)


def enqueue(db: sqlite3.Connection, notice: Notice, channels: Iterable[Channel]) -> None:
    """Add a notice for each channel that wants it; the caller's transaction commits it."""
    for channel in channels:
        if channel.wants(notice):
            db.execute(
                "INSERT INTO outbox (seq, channel, lane) VALUES (?, ?, ?)",
                (notice.transition.seq, channel.name, notice.lane),
            )


def retry_after_ms(attempts: int) -> int:
    """How long to wait after so many failed attempts: doubling, up to five minutes [ms]."""
    return min(LAST_RETRY_MS, FIRST_RETRY_MS << min(max(attempts - 1, 0), 30))


class Counts(NamedTuple):
    """Of one channel: waiting now; delivered and failed attempts since the start."""

    pending: int
    delivered: int
    failed: int


class _Row(NamedTuple):
    id: int
    seq: int | None
    bulletin: int | None
    channel: str
    attempts: int


class Outbox:
    """Delivers what the book's outbox holds.

    Parameters
    ----------
    book : AlertBook
        The book; its listeners wake the worker.
    notifiers : sequence of Notifier
        The ways out. A channel that is in the outbox but not here any more is given up.
    clock : callable
        The time, for back-off [ms]: that of the wall also where `now_ms` runs faster.
    send_timeout_s : float
        After which a send counts as failed.
    """

    def __init__(
        self,
        book: AlertBook,
        notifiers: Sequence[Notifier],
        clock: Callable[[], int],
        *,
        send_timeout_s: float = 60.0,
    ) -> None:
        self._book = book
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._clock = clock
        self._send_timeout_s = send_timeout_s
        self._delivered = dict.fromkeys(self._notifiers, 0)
        self._failed = dict.fromkeys(self._notifiers, 0)
        self._wake = {name: asyncio.Event() for name in self._notifiers}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        book.listen(lambda _: self.wake())
        with book.file.transaction() as db:
            for (channel,) in db.execute(_WAITING).fetchall():
                if channel not in self._notifiers:
                    db.execute(_GIVE_UP, (channel,))
                    log.warning("channel_given_up", channel=channel)

    def counts(self) -> dict[str, Counts]:
        """For metrics, by channel."""
        query = "SELECT channel, COUNT(*) FROM outbox WHERE delivered_at_ms IS NULL GROUP BY 1"
        with self._book.file.reading() as db:
            pending = dict(db.execute(query).fetchall())
        return {
            name: Counts(pending.get(name, 0), self._delivered[name], self._failed[name])
            for name in self._notifiers
        }

    def wake(self) -> None:
        """Look for new rows now; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            for event in self._wake.values():
                self._loop.call_soon_threadsafe(event.set)

    async def run(self) -> None:
        """Deliver until :meth:`stop`; each channel by itself, so none waits for another."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as channels:
            for name in self._notifiers:
                channels.create_task(self._run_channel(name))

    def stop(self) -> None:
        """Let :meth:`run` return after the sends that are under way."""
        self._stopping = True
        self.wake()

    async def deliver_due(self, now_ms: int, channel: str) -> int:
        """Try every row of a channel that is due once; returns how many were delivered."""
        rows = await asyncio.to_thread(self._due, now_ms, channel)
        results = await asyncio.gather(
            *(self._deliver(row, now_ms) for row in rows), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(1 for result in results if result is True)

    async def _run_channel(self, channel: str) -> None:
        while not self._stopping:
            self._wake[channel].clear()
            try:
                if await self.deliver_due(self._clock(), channel):
                    continue  # what waited behind a delivered row is due now
                wait_ms = await asyncio.to_thread(self._wait_ms, channel)
            except BookUnavailable as exc:
                log.warning("outbox_waits", reason="book_unavailable", detail=str(exc))
                wait_ms = FIRST_RETRY_MS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake[channel].wait(), wait_ms / 1000)

    async def _deliver(self, row: _Row, now_ms: int) -> bool:
        try:
            await self._send(row)
        except BookUnavailable:
            raise
        # One notifier that fails in a way nobody foresaw must not stop the others.
        except Exception as exc:  # noqa: BLE001
            await asyncio.to_thread(self._mark_failed, row, now_ms, exc)
            return False
        await asyncio.to_thread(self._mark_delivered, row, now_ms)
        return True

    async def _send(self, row: _Row) -> None:
        notifier = self._notifiers[row.channel]
        if row.seq is not None:
            notice = await asyncio.to_thread(self._book.notice, row.seq)
            async with asyncio.timeout(self._send_timeout_s):
                await notifier.send(notice)
            return
        assert row.bulletin is not None
        if not isinstance(notifier, Reader):
            raise NotificationFailed(f"notify.{row.channel} takes no bulletins")
        bulletin = await asyncio.to_thread(bulletin_rows.read, self._book.file, row.bulletin)
        async with asyncio.timeout(self._send_timeout_s):
            await notifier.send_bulletin(bulletin)

    def _due(self, now_ms: int, channel: str) -> list[_Row]:
        query = (
            "SELECT id, seq, bulletin, channel, attempts FROM outbox o "
            "WHERE delivered_at_ms IS NULL AND channel = ? "
            # Further ahead than any retry is only what was written before the clock was set back.
            "AND (next_at_ms <= ? OR next_at_ms > ?) AND NOT EXISTS ("
            "SELECT 1 FROM outbox p WHERE p.delivered_at_ms IS NULL "
            "AND p.channel = o.channel AND p.lane = o.lane AND p.id < o.id) ORDER BY id LIMIT ?"
        )
        with self._book.file.reading() as db:
            values = (channel, now_ms, now_ms + LAST_RETRY_MS, BATCH)
            return [_Row(*row) for row in db.execute(query, values)]

    def _wait_ms(self, channel: str) -> int:
        """Until the next retry is due; capped, since the clock may be set."""
        query = (
            "SELECT MIN(next_at_ms) FROM outbox "
            "WHERE delivered_at_ms IS NULL AND channel = ? AND next_at_ms > 0"
        )
        with self._book.file.reading() as db:
            (next_ms,) = db.execute(query, (channel,)).fetchone()
        if next_ms is None:
            return 60_000
        return int(min(60_000, max(10, next_ms - self._clock())))

    def _mark_delivered(self, row: _Row, now_ms: int) -> None:
        with self._book.file.transaction() as db:
            db.execute(
                "UPDATE outbox SET delivered_at_ms = ?, attempts = ?, error = NULL WHERE id = ?",
                (now_ms, row.attempts + 1, row.id),
            )
        self._delivered[row.channel] += 1

    def _mark_failed(self, row: _Row, now_ms: int, exc: Exception) -> None:
        attempts = row.attempts + 1
        wait_ms = retry_after_ms(attempts)
        self._failed[row.channel] += 1
        known = isinstance(exc, NotificationFailed | TimeoutError)
        log.warning(
            "notification_failed",
            channel=row.channel,
            attempts=attempts,
            retry_in_s=wait_ms / 1000,
            detail=str(exc) or type(exc).__name__,
            exc_info=None if known else exc,
        )
        with self._book.file.transaction() as db:
            db.execute(
                "UPDATE outbox SET attempts = ?, next_at_ms = ?, error = ? WHERE id = ?",
                (attempts, now_ms + wait_ms, str(exc)[:500] or type(exc).__name__, row.id),
            )
