"""The worker that sends the rows of the outbox until they have arrived.

A row leaves when its notifier returned; a crash just before that tells it again. Within a lane
rows go in order; lanes do not wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from alerts.errors import BookUnavailable, NotificationFailed
from alerts.notify import Notifier
from alerts.notify.apprise import AppriseNotifier
from alerts.store.book_file import BookFile
from alerts.store.outbox import FIRST_RETRY_MS, OutboxRows, Waiting, retry_after_ms

log = structlog.get_logger(__name__)


class Counts(NamedTuple):
    """Rows of a channel that wait now; delivered and failed attempts since the start."""

    pending: int
    delivered: int
    failed: int


class Outbox:
    """Delivers the rows of the book's outbox. Whoever writes into it calls :meth:`wake`."""

    def __init__(
        self,
        file: BookFile,
        notifiers: Sequence[Notifier],  # another channel in the outbox is given up
        clock: Callable[[], int],  # for back-off [ms]: the wall's also where `now_ms` runs faster
        *,
        send_timeout_s: float = 60.0,  # after which a send counts as failed
    ) -> None:
        self._rows = OutboxRows(file)
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._clock = clock
        self._send_timeout_s = send_timeout_s
        self._delivered = dict.fromkeys(self._notifiers, 0)
        self._failed = dict.fromkeys(self._notifiers, 0)
        self._wake = {name: asyncio.Event() for name in self._notifiers}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        for channel in self._rows.give_up_all_but(self._notifiers):
            log.warning("channel_given_up", channel=channel)

    def counts(self) -> dict[str, Counts]:
        """Rows that wait, and attempts since the start, by channel; reads the book."""
        pending = self._rows.pending()
        return {
            name: Counts(pending.get(name, 0), self._delivered[name], self._failed[name])
            for name in self._notifiers
        }

    def wake(self, _: object = None) -> None:
        """Look for new rows now; may be called from any thread, and listen to the book."""
        if self._loop is not None and not self._loop.is_closed():
            for event in self._wake.values():
                self._loop.call_soon_threadsafe(event.set)

    async def run(self) -> None:
        """Deliver until :meth:`stop`; each channel by itself, so none waits for another.

        A book that cannot be used now, and a send that failed, are tried again for ever.
        """
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as channels:
            for name in self._notifiers:
                channels.create_task(self._run_channel(name))

    def stop(self) -> None:
        """Let :meth:`run` return after the sends that are under way."""
        self._stopping = True
        self.wake()

    async def deliver_due(self, now_ms: int, channel: str) -> int:
        """Try every row of a channel that is due once; returns how many were delivered.

        BookUnavailable: rows cannot be read, or not be marked; the latter arrive twice.
        """
        rows = await asyncio.to_thread(self._rows.due, channel, now_ms)
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

    async def _deliver(self, row: Waiting, now_ms: int) -> bool:
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

    async def _send(self, row: Waiting) -> None:
        notifier = self._notifiers[row.channel]
        if row.seq is not None:
            notice = await asyncio.to_thread(self._rows.notice, row.seq)
            async with asyncio.timeout(self._send_timeout_s):
                await notifier.send(notice)
            return
        assert row.bulletin is not None
        if not isinstance(notifier, AppriseNotifier):
            raise NotificationFailed(f"notify.{row.channel} takes no bulletins")
        bulletin = await asyncio.to_thread(self._rows.bulletin, row.bulletin)
        async with asyncio.timeout(self._send_timeout_s):
            await notifier.send_bulletin(bulletin)

    def _wait_ms(self, channel: str) -> int:
        """Until the next retry is due; capped, since the clock may be set."""
        next_ms = self._rows.next_ms(channel)
        return 60_000 if next_ms is None else min(60_000, max(10, next_ms - self._clock()))

    def _mark_delivered(self, row: Waiting, now_ms: int) -> None:
        self._rows.delivered(row, now_ms)
        self._delivered[row.channel] += 1

    def _mark_failed(self, row: Waiting, now_ms: int, exc: Exception) -> None:
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
        self._rows.failed(row, now_ms + wait_ms, str(exc)[:500] or type(exc).__name__)
