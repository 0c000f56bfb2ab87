"""Channels that come and go while the outbox runs, whatever trouble they are in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from alerts.notify import Notifier
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.store.book import AlertBook
from files.secret import Secret
from tests.alerts.notices import T0, Broker, counts, line, raised, wording
from tests.full_disk import full_disk
from tests.patience import until_async
from tests.servers import Answer, Request, answering


def test_a_channel_that_goes_takes_its_trouble_along(tmp_path: Path) -> None:
    """What it had sent could not be booked; nobody is told of that for ever."""
    wal, full = tmp_path / "alerts.db-wal", ExitStack()

    def fills_up(_: Request) -> Answer:
        full.enter_context(full_disk(wal))
        return Answer()

    async def scenario(address: str) -> None:
        people = AppriseNotifier("team", Secret(f"json://{address}/"), wording())
        broker, book, outbox = line(path=tmp_path / "alerts.db", extra=[people])
        broker.up = False  # so that the channel that stays has nothing to book meanwhile
        raised(book)
        worker = asyncio.create_task(outbox.run())
        await until_async(lambda: outbox.trouble)
        full.close()
        outbox.follow([MqttNotifier(broker.publish, book.latest_open)])
        await until_async(lambda: not outbox.trouble)
        assert counts(book, "team")[:2] == (0, 0)
        outbox.stop()
        await worker

    with answering(fills_up) as url, full:
        asyncio.run(scenario(url.removeprefix("http://")))


def test_a_channel_may_come_while_none_run() -> None:
    """One that fails ends the others; one that comes before they begin again runs with them."""
    times = iter([ZeroDivisionError()])

    def clock() -> int:
        for failure in times:
            raise failure
        return T0

    async def scenario(address: str) -> None:
        broker = Broker()
        channels: list[Notifier] = [MqttNotifier(broker.publish, lambda *key: None)]
        book = AlertBook(":memory:", channels)
        outbox = Outbox(book.file, channels, clock, gather_ms=0)
        book.listen(outbox.wake)
        with pytest.raises(ExceptionGroup):
            await outbox.run()
        channels.append(AppriseNotifier("team", Secret(f"json://{address}/"), wording()))
        outbox.follow(channels)
        worker = asyncio.create_task(outbox.run())
        raised(book)
        await until_async(lambda: counts(book, "team")[:2] == (0, 1))
        await until_async(lambda: counts(book, "mqtt")[0] == 0)
        outbox.stop()
        await worker

    with answering(lambda _: Answer()) as url:
        asyncio.run(scenario(url.removeprefix("http://")))
