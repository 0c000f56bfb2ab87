"""The worker that sends the rows of the outbox until they have arrived.

A row leaves when its notifier returned; a crash just before that tells it again. Within a lane
rows go in order; lanes do not wait for each other. Programs get one message for each row, people
one for each group (:mod:`alerts.notify.grouping`).

Nothing is sent that cannot be booked: an attempt is written down before it is made, and a message
that was sent while the disk filled up is remembered until it can be. Until then the channel waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from alerts.errors import BookUnavailable, NotificationFailed
from alerts.notify import Notifier
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.grouping import GATHER_MS, SHOWN, Gathering
from alerts.store.book_file import BookFile
from alerts.store.outbox import OutboxRows, Waiting, retry_after_ms
from files.backoff import Backoff
from files.secret import harmless

log = structlog.get_logger(__name__)

LONGEST_WAIT_S: Final = 15.0
"""Between two tries to book what was sent [s]."""


class Outbox:
    """Delivers the rows of the book's outbox. Whoever writes into it calls :meth:`wake`."""

    def __init__(
        self,
        file: BookFile,
        notifiers: Sequence[Notifier],  # another channel in the outbox is given up
        clock: Callable[[], int],  # for back-off [ms]: the wall's also where `now_ms` runs faster
        *,
        send_timeout_s: float = 60.0,  # after which a send counts as failed
        gather_ms: int = GATHER_MS,  # how long people's notices are gathered at first
    ) -> None:
        self._rows = OutboxRows(file)
        self._notifiers: dict[str, Notifier] = {}
        self._clock = clock
        self._send_timeout_s = send_timeout_s
        self._gather_ms = gather_ms
        self._wake: dict[str, asyncio.Event] = {}
        self._gathering: dict[str, Gathering] = {}
        # Rows that have arrived and could not be marked; the channel sends nothing before they are.
        self._unbooked: dict[str, dict[int, Waiting]] = {}
        self._troubles: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.follow(notifiers)

    def follow(self, notifiers: Sequence[Notifier]) -> None:
        """Deliver by these from now on; a channel that is not among them is given up.

        BookUnavailable: nothing was changed.
        """
        for channel in self._rows.give_up_all_but({notifier.name for notifier in notifiers}):
            log.warning("channel_given_up", channel=channel)
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        for name, notifier in self._notifiers.items():
            gathered = self._gather_ms if isinstance(notifier, AppriseNotifier) else None
            self._gathering.setdefault(name, Gathering(gathered))
            self._wake.setdefault(name, asyncio.Event())
            self._unbooked.setdefault(name, {})
        self._start_channels()
        self.wake()

    def _start_channels(self) -> None:
        """A task for each channel that has none; they run while :meth:`run` does."""
        if self._channels is None or self._stopping:
            return
        for name in self._notifiers:
            if name not in self._tasks or self._tasks[name].done():
                self._tasks[name] = self._channels.create_task(self._run_channel(name))

    @property
    def trouble(self) -> str:
        """Why nothing is sent at the moment; empty when it is."""
        return next(iter(self._troubles.values()), "")

    def wake(self, _: object = None) -> None:
        """Look for new rows now; may be called from any thread, and listen to the book."""
        if self._loop is not None and not self._loop.is_closed():
            for event in tuple(self._wake.values()):  # a channel may be added meanwhile
                self._loop.call_soon_threadsafe(event.set)

    async def run(self) -> None:
        """Deliver until :meth:`stop`; each channel by itself, so none waits for another.

        A book that cannot be used now, and a send that failed, are tried again for ever.
        """
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as self._channels:
                self._start_channels()
        finally:
            self._channels = None

    def stop(self) -> None:
        """Let :meth:`run` return after the sends that are under way."""
        self._stopping = True
        self.wake()

    async def deliver_due(self, now_ms: int, channel: str) -> int:
        """Try every message of a channel that is due once; returns how many rows were delivered.

        BookUnavailable: what was sent is remembered, and nothing is sent until it can be booked.
        """
        await asyncio.to_thread(self._book, channel, now_ms)
        gathering = self._gathering[channel]
        rows = await asyncio.to_thread(self._rows.due, channel, now_ms, gathering.limit)
        messages = gathering.ripe(rows, now_ms)
        if not messages:
            return 0
        await asyncio.to_thread(self._rows.begin, [row for rows in messages for row in rows])
        results = await asyncio.gather(
            *(self._deliver(rows, now_ms) for rows in messages), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sum(result for result in results if isinstance(result, int))

    async def _run_channel(self, channel: str) -> None:
        backoff = Backoff(1.0, LONGEST_WAIT_S)
        while not self._stopping and channel in self._notifiers:
            self._wake[channel].clear()
            try:
                delivered = await self.deliver_due(self._clock(), channel)
                if self._troubles.pop(channel, None):
                    backoff.reset()
                if delivered:
                    continue  # what waited behind a delivered row is due now
                wait_s = await asyncio.to_thread(self._wait_ms, channel) / 1000
            except BookUnavailable as exc:
                if channel not in self._troubles:
                    log.warning("outbox_waits", reason="book_unavailable", detail=str(exc))
                self._troubles[channel] = str(exc)
                wait_s = backoff.next_s()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake[channel].wait(), wait_s)
        self._troubles.pop(channel, None)

    async def _deliver(self, rows: Sequence[Waiting], now_ms: int) -> int:
        """Send one message about rows; returns how many were delivered: all or none."""
        channel = rows[0].channel
        try:
            await self._send(rows)
        except BookUnavailable:
            raise
        # One notifier that fails in a way nobody foresaw must not stop the others.
        except Exception as exc:  # noqa: BLE001
            await asyncio.to_thread(self._mark_failed, rows, now_ms, exc)
            return 0
        self._unbooked[channel].update((row.id, row) for row in rows)
        await asyncio.to_thread(self._book, channel, now_ms)
        return len(rows)

    def _book(self, channel: str, now_ms: int) -> None:
        """Mark the rows of a channel that have arrived."""
        if rows := list(self._unbooked[channel].values()):
            self._rows.delivered(rows, now_ms)
            for row in rows:
                self._unbooked[channel].pop(row.id, None)

    async def _send(self, rows: Sequence[Waiting]) -> None:
        row, notifier = rows[0], self._notifiers[rows[0].channel]
        if row.seq is not None:
            notices = await asyncio.to_thread(self._rows.notices, rows[:SHOWN])
            async with asyncio.timeout(self._send_timeout_s):
                await notifier.send(*notices, count=len(rows))
            return
        assert row.bulletin is not None
        if not isinstance(notifier, AppriseNotifier):
            raise NotificationFailed(f"notify.{row.channel} takes no bulletins")
        bulletin = await asyncio.to_thread(self._rows.bulletin, row.bulletin)
        async with asyncio.timeout(self._send_timeout_s):
            await notifier.send_bulletin(bulletin)

    def _wait_ms(self, channel: str) -> int:
        """Until the next retry or group is due; capped, since the clock may be set."""
        due = self._rows.next_ms(channel), self._gathering[channel].next_ms()
        next_ms = min((at_ms for at_ms in due if at_ms is not None), default=None)
        return 60_000 if next_ms is None else min(60_000, max(10, next_ms - self._clock()))

    def _mark_failed(self, rows: Sequence[Waiting], now_ms: int, exc: Exception) -> None:
        channel, attempts = rows[0].channel, max(row.attempts for row in rows) + 1
        wait_ms = retry_after_ms(attempts)
        known = isinstance(exc, NotificationFailed | TimeoutError)
        log.warning(
            "notification_failed",
            channel=channel,
            attempts=attempts,
            retry_in_s=wait_ms / 1000,
            detail=str(exc) or type(exc).__name__,
            exc_info=None if known else exc,
        )
        self._rows.failed(rows, now_ms + wait_ms, harmless(str(exc))[:500] or type(exc).__name__)
