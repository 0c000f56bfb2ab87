"""The outbox: what is told is told until it has arrived, in order, and nothing waits for others."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from alerts.errors import BookUnavailable
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.store.book import AlertBook
from alerts.store.outbox import LAST_RETRY_MS, retry_after_ms
from files.secret import Secret
from tests.full_disk import full_disk
from tests.patience import until_async
from tests.servers import Answer, Request, answering

from .notices import T0, Broker, counts, drain, ended, line, raised, wording


def test_an_outbox_survives_a_restart_and_keeps_the_order(tmp_path) -> None:
    broker, book, outbox = line(path=tmp_path / "alerts.db")
    broker.up = False
    alert_id = raised(book)
    asyncio.run(drain(outbox))
    book.acknowledge(alert_id, "li", T0 + 1)
    ended(book, alert_id)
    assert counts(book, "mqtt") == (4, 0, 1)
    book.close_file()

    broker, book, outbox = line(path=tmp_path / "alerts.db")
    asyncio.run(drain(outbox, now_ms=T0 + 10_000))
    assert [m and m["data"]["event"] for _, m, _ in broker.messages] == [
        "activate",
        "acknowledge",
        "return",
        "close",
        None,
    ]
    assert counts(book, "mqtt") == (0, 4, 1)


def test_lanes_do_not_wait_for_each_other() -> None:
    """A zone whose message does not go holds up its own later messages, and no others."""

    class Picky(Broker):
        async def publish(self, topic, payload, retain):
            return "Z01" not in topic and await super().publish(topic, payload, retain)

    broker = Picky()
    mqtt = MqttNotifier(broker.publish, lambda *key: book.latest_open(*key))
    book = AlertBook(":memory:", [mqtt])
    outbox = Outbox(book.file, [mqtt], lambda: T0)
    ended(book, raised(book, "Z01"))
    ended(book, raised(book, "Z02"))
    asyncio.run(drain(outbox))
    assert counts(book, "mqtt") == (3, 3, 1)
    assert broker.retained == {"patrol/v1/alerts/Z02/zone_unpatrolled": None}


def test_retries_back_off_up_to_five_minutes() -> None:
    assert [retry_after_ms(n) for n in (1, 2, 3, 4)] == [1000, 2000, 4000, 8000]
    assert retry_after_ms(10**6) == LAST_RETRY_MS
    broker, book, outbox = line()
    broker.up = False
    raised(book)
    waits = []
    now_ms = T0
    for _ in range(4):
        asyncio.run(drain(outbox, now_ms=now_ms))
        with book.file.reading() as db:
            (next_ms,) = db.execute("SELECT next_at_ms FROM outbox").fetchone()
        waits.append(next_ms - now_ms)
        asyncio.run(drain(outbox, now_ms=next_ms - 1))  # not due: not tried
        now_ms = next_ms
    assert waits == [1000, 2000, 4000, 8000]
    assert counts(book, "mqtt")[2] == 4
    broker.up = True
    asyncio.run(drain(outbox, now_ms=now_ms))
    assert counts(book, "mqtt") == (0, 1, 4)


def test_a_clock_that_is_set_back_holds_no_retry_up() -> None:
    """Else a message that failed just before would wait as long as the clock was ahead."""
    broker, book, outbox = line()
    broker.up = False
    raised(book)
    asyncio.run(drain(outbox))
    broker.up = True
    hour_ms = 3_600_000
    assert asyncio.run(outbox.deliver_due(T0 - 500, "mqtt")) == 0  # it still waits its second
    assert asyncio.run(outbox.deliver_due(T0 - 5 * hour_ms, "mqtt")) == 1


def test_the_worker_delivers_by_itself_and_no_channel_waits_for_another() -> None:
    """A webhook that never answers does not hold up MQTT, and stopping does not hang."""

    async def scenario() -> None:
        stuck, emptied = asyncio.Event(), asyncio.Event()

        class Stuck:
            name = "stuck"
            wants = Filter().passes

            async def send(self, *notices, count=1):
                stuck.set()
                await asyncio.Event().wait()

        broker, book, outbox = line(extra=[Stuck()], send_timeout_s=0.2)
        loop = asyncio.get_running_loop()
        broker.on_empty = lambda: loop.call_soon_threadsafe(emptied.set)
        worker = asyncio.create_task(outbox.run())
        alert_id = raised(book)
        await stuck.wait()
        await asyncio.to_thread(ended, book, alert_id)
        await asyncio.wait_for(emptied.wait(), 5)
        outbox.stop()
        await asyncio.wait_for(worker, 5)
        assert counts(book, "mqtt") == (0, 3, 0)
        assert counts(book, "stuck")[1] == 0

    asyncio.run(scenario())


def test_a_channel_that_is_no_longer_configured_is_given_up(tmp_path) -> None:
    people = AppriseNotifier("team", Secret("json://127.0.0.1:1/"), wording())
    _, book, _ = line(path=tmp_path / "a.db", extra=[people])
    raised(book)
    book.close_file()
    _, book, _ = line(path=tmp_path / "a.db")
    assert counts(book, "team")[0] == 0
    with book.file.reading() as db:
        rows = db.execute("SELECT channel, error FROM outbox WHERE delivered_at_ms = 0").fetchall()
    assert rows == [("team", "the channel is no longer configured")]


def test_a_full_disk_sends_nothing_twice_and_nothing_that_cannot_be_booked(tmp_path) -> None:
    """What was sent while it filled up is remembered; with room again all goes on by itself."""
    wal, full, trouble = tmp_path / "alerts.db-wal", ExitStack(), []
    received: list[Request] = []

    def fills_up(request: Request) -> Answer:
        received.append(request)
        if len(received) == 1:
            full.enter_context(full_disk(wal))
        return Answer()

    async def scenario(address: str) -> None:
        people = AppriseNotifier("team", Secret(f"json://{address}/"), wording())
        _, book, outbox = line(path=tmp_path / "alerts.db", extra=[people])
        raised(book, "Z01")
        worker = asyncio.create_task(outbox.run())
        await until_async(lambda: outbox.trouble)
        for _ in range(20):
            with pytest.raises(BookUnavailable):
                await outbox.deliver_due(T0, "team")
        trouble.append(outbox.trouble)
        full.close()
        await until_async(lambda: counts(book, "team")[0] == 0)
        await until_async(lambda: not outbox.trouble)
        raised(book, "Z02")
        await until_async(lambda: counts(book, "team") == (0, 2, 0))
        outbox.stop()
        await worker

    with answering(fills_up) as url, full:
        asyncio.run(scenario(url.removeprefix("http://")))
    assert len(received) == 2
    assert "cannot be used now" in trouble[0]
