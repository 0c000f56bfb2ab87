"""Notifications: what is told to whom, and that it is told until it has arrived."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack
from zoneinfo import ZoneInfo

import pytest

from alerts.duty_hours import Window
from alerts.errors import NotificationFailed, PolicyError
from alerts.findings import Step
from alerts.lifecycle import EVENTS
from alerts.notify import UNHEARD, Filter
from alerts.notify.apprise import THREADS, AppriseNotifier, webhook_url
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.notify.wording import Wording, phrases
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from alerts.store.outbox import LAST_RETRY_MS, retry_after_ms
from tests.patience import PATIENCE_S, until_async
from tests.servers import Answer, Request, answering

SHANGHAI = ZoneInfo("Asia/Shanghai")
T0 = 1_795_399_200_000  # 2026-11-23 10:00 in Shanghai
IDLE = {"idle_s": 7500.0, "frequency_s": 7200, "last_patrolled_ms": None}
VISIT = {"bike": "hello/B07", "at_ms": T0}


def raised(book, zone_id="Z01", rule="zone_unpatrolled", window=None):
    steps = (
        Step("raise", "idle_over_frequency", IDLE),
        Step("activate", "idle_over_frequency", IDLE),
    )
    return book.record([Change(Opening(rule, "critical", zone_id, window), steps)], T0)[-1].alert_id


def ended(book, alert_id):
    steps = (Step("return", "patrolled", VISIT), Step("close", "patrolled", VISIT))
    book.record([Change(alert_id, steps)], T0 + 60_000)


class Broker:
    """Keeps what was published; can be away."""

    def __init__(self) -> None:
        self.messages = []
        self.retained = {}
        self.up = True
        self.on_empty = lambda: None

    def publish(self, topic: str, payload: bytes, retain: bool) -> bool:
        if self.up:
            self.messages.append((topic, json.loads(payload) if payload else None, retain))
            if retain:
                self.retained[topic] = json.loads(payload) if payload else None
            if not payload:
                self.on_empty()
        return self.up


def line(*, path=":memory:", extra=(), **options):
    """A broker, and a book and outbox that tell it."""
    broker = Broker()
    mqtt = MqttNotifier(broker.publish, lambda *key: book.latest_open(*key))
    book = AlertBook(path, [mqtt, *extra])
    outbox = Outbox(book.file, [mqtt, *extra], lambda: T0, **options)
    book.listen(outbox.wake)
    return broker, book, outbox


async def drain(outbox, channel="mqtt", now_ms=T0) -> None:
    while await outbox.deliver_due(now_ms, channel):
        pass


def test_the_topic_holds_the_last_transition_and_is_empty_once_closed() -> None:
    broker, book, outbox = line()
    alert_id = raised(book)
    asyncio.run(drain(outbox))
    topic = "patrol/v1/alerts/Z01/zone_unpatrolled"
    event = broker.retained[topic]
    assert event["specversion"] == "1.0"
    assert event["type"] == "zhixun.alert.transition.v1"
    assert event["subject"] == "Z01/zone_unpatrolled"
    assert event["time"] == "2026-11-23T02:00:00.000Z"
    assert event["datacontenttype"] == "application/json"
    assert event["data"]["state"] == "active"
    assert event["data"]["evidence"]["idle_s"] == 7500
    book.acknowledge(alert_id, "li", T0 + 1)
    asyncio.run(drain(outbox))
    assert broker.retained[topic]["data"]["acknowledged_by"] == "li"
    assert broker.retained[topic]["id"] != event["id"]
    ended(book, alert_id)
    asyncio.run(drain(outbox))
    assert broker.retained[topic] is None
    told = [m["data"]["state"] for _, m, _ in broker.messages if m]
    assert told == ["active", "acknowledged", "returned", "closed"]
    assert [retain for _, m, retain in broker.messages if m][-1] is False


def test_two_windows_of_one_zone_share_a_topic() -> None:
    """When one is over, the topic shows the other."""
    broker, book, outbox = line()
    first = raised(book, rule="coverage_short", window=Window(0, 10))
    second = raised(book, rule="coverage_short", window=Window(10, 20))
    ended(book, first)
    asyncio.run(drain(outbox))
    topic = "patrol/v1/alerts/Z01/coverage_short"
    assert broker.retained[topic]["data"]["alert_id"] == second
    ended(book, second)
    asyncio.run(drain(outbox))
    assert broker.retained[topic] is None


def test_an_outbox_survives_a_restart_and_keeps_the_order(tmp_path) -> None:
    broker, book, outbox = line(path=tmp_path / "alerts.db")
    broker.up = False
    alert_id = raised(book)
    asyncio.run(drain(outbox))
    book.acknowledge(alert_id, "li", T0 + 1)
    ended(book, alert_id)
    assert outbox.counts()["mqtt"] == (4, 0, 1)
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
    assert outbox.counts()["mqtt"] == (0, 4, 0)


def test_lanes_do_not_wait_for_each_other() -> None:
    """A zone whose message does not go holds up its own later messages, and no others."""

    class Picky(Broker):
        def publish(self, topic, payload, retain):
            return False if "Z01" in topic else super().publish(topic, payload, retain)

    broker = Picky()
    mqtt = MqttNotifier(broker.publish, lambda *key: book.latest_open(*key))
    book = AlertBook(":memory:", [mqtt])
    outbox = Outbox(book.file, [mqtt], lambda: T0)
    ended(book, raised(book, "Z01"))
    ended(book, raised(book, "Z02"))
    asyncio.run(drain(outbox))
    assert outbox.counts()["mqtt"] == (3, 3, 1)
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
    assert outbox.counts()["mqtt"].failed == 4
    broker.up = True
    asyncio.run(drain(outbox, now_ms=now_ms))
    assert outbox.counts()["mqtt"] == (0, 1, 4)


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


def test_awaitable_publishers_are_awaited() -> None:
    sent = []

    async def publish(topic, payload, retain):
        await asyncio.sleep(0)
        sent.append(topic)
        return True

    mqtt = MqttNotifier(publish, lambda *key: None)
    book = AlertBook(":memory:", [mqtt])
    outbox = Outbox(book.file, [mqtt], lambda: T0)
    raised(book)
    asyncio.run(drain(outbox))
    assert sent == ["patrol/v1/alerts/Z01/zone_unpatrolled"]


class Hook:
    """A webhook on a free port that answers with the given codes, then 200."""

    def __init__(self, *codes: int) -> None:
        self.received = []
        self.codes = list(codes)
        self.open = ExitStack()

    def __enter__(self):
        self.address = self.open.enter_context(answering(self.answer)).removeprefix("http://")
        return self

    def __exit__(self, *_):
        self.open.close()

    def answer(self, asked: Request) -> Answer:
        code = self.codes.pop(0) if self.codes else 200
        self.received.append((code, asked.path, json.loads(asked.body)))
        return Answer(code)


def wording(language="zh"):
    return Wording(language, SHANGHAI, {"Z01": "老城核心片区" if language == "zh" else "Old Town"})


@pytest.mark.parametrize("url", ["json://{}/hook", "http://{}/hook"])
def test_a_webhook_that_fails_first_is_told_again(url) -> None:
    """500, then 200: one notification arrives, one failure is counted, nothing waits."""
    with Hook(500) as hook:
        people = AppriseNotifier("team", url.format(hook.address), wording())
        _, book, outbox = line(extra=[people])
        raised(book)
        asyncio.run(drain(outbox, "team"))
        assert outbox.counts()["team"] == (1, 0, 1)
        asyncio.run(drain(outbox, "team", T0 + 1000))
        assert outbox.counts()["team"] == (0, 1, 1)
    assert [(code, path) for code, path, _ in hook.received] == [(500, "/hook"), (200, "/hook")]
    message = hook.received[1][2]
    assert message["title"] == "【智巡】告警：老城核心片区 · 片区超时未巡"
    assert "已2小时5分钟未巡查" in message["message"]
    assert "每2小时一次" in message["message"]
    assert message["type"] == "failure"


def test_the_worker_delivers_by_itself_and_no_channel_waits_for_another() -> None:
    """A webhook that never answers does not hold up MQTT, and stopping does not hang."""

    async def scenario() -> None:
        stuck, emptied = asyncio.Event(), asyncio.Event()

        class Stuck:
            name = "stuck"
            wants = Filter().passes

            async def send(self, notice):
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
        assert outbox.counts()["mqtt"] == (0, 3, 0)
        assert outbox.counts()["stuck"].delivered == 0

    asyncio.run(scenario())


def test_a_service_that_never_answers_takes_no_thread_of_others() -> None:
    """Sixty notifications wait for it; what else needs a thread of the event loop gets one."""
    _, book, _ = line()
    raised(book)
    notice = book.notice(2)  # it is active

    asked, never = [], threading.Event()

    def silent(request: Request) -> Answer:
        asked.append(request)
        never.wait(PATIENCE_S)
        return Answer()

    async def scenario(address: str) -> None:
        people = AppriseNotifier("team", f"json://{address}/", wording())
        sending = [asyncio.create_task(people.send(notice)) for _ in range(60)]
        await until_async(lambda: len(asked) == THREADS)
        await asyncio.wait_for(asyncio.to_thread(int), 15)
        assert not any(task.done() for task in sending)
        for task in sending:
            task.cancel()

    with answering(silent) as url:
        asyncio.run(scenario(url.removeprefix("http://")))
        never.set()


def test_a_channel_that_is_no_longer_configured_is_given_up(tmp_path) -> None:
    people = AppriseNotifier("team", "json://127.0.0.1:1/", wording())
    _, book, _ = line(path=tmp_path / "a.db", extra=[people])
    raised(book)
    book.close_file()
    _, book, outbox = line(path=tmp_path / "a.db")
    assert set(outbox.counts()) == {"mqtt"}
    with book.file.reading() as db:
        rows = db.execute("SELECT channel, error FROM outbox WHERE delivered_at_ms = 0").fetchall()
    assert rows == [("team", "the channel is no longer configured")]


def test_filters_choose_what_people_are_told() -> None:
    """By severity, rule and zone; what a person did just now is not news."""
    events = []

    class Taker:
        def __init__(self, name, **wanted):
            self.name = name
            self.inner = AppriseNotifier(name, "json://x", wording(), Filter(**wanted))

        def wants(self, notice):
            if self.inner.wants(notice):
                events.append((self.name, notice.transition.event))
            return False

    takers = [
        Taker("all"),
        Taker("info", severities={"info"}),
        Taker("short", rules={"coverage_short"}),
        Taker("z2", zones={"Z02"}),
        Taker("acks", events={"acknowledge"}),
    ]
    book = AlertBook(":memory:", takers)
    alert_id = raised(book)
    book.acknowledge(alert_id, "li", T0)
    book.note(alert_id, "li", T0, reason="x")
    ended(book, alert_id)
    assert events == [
        ("all", "activate"),
        ("acks", "acknowledge"),
        ("all", "return"),
        ("all", "close"),
    ]
    raised(book, "Z02", rule="coverage_short")
    assert events[4:] == [("all", "activate"), ("short", "activate"), ("z2", "activate")]


def test_words_in_both_languages() -> None:
    book = AlertBook(":memory:")
    alert_id = raised(book)
    english = wording("en").of(book.notice(2))
    assert english.title == "[Zhixun] Alert: Old Town · Zone not patrolled"
    assert english.body.startswith("No patrol for 2 h 5 min of patrol hours; one is due every 2 h")
    book.acknowledge(alert_id, "li", T0, "on it")
    assert wording("en").of(book.notice(3)).body.startswith("By li. on it")
    ended(book, alert_id)
    closed = wording("zh").of(book.notice(5))
    assert closed.title == "【智巡】已销号：老城核心片区 · 片区超时未巡"
    assert "车辆 hello/B07，2026-11-23 10:00" in closed.body
    assert closed.kind == "success"
    # A notice is of its time, whatever has happened since.
    assert book.notice(2).alert.state == "active"


def test_a_url_that_nobody_understands_is_named_by_its_key_only(caplog) -> None:
    """It may hold a secret: neither the error nor any log line shows it."""
    with pytest.raises(PolicyError) as wrong:
        AppriseNotifier("team", "nonsense://secret", wording()).check()
    assert "notify.team.url" in str(wrong.value)
    assert "secret" not in str(wrong.value)
    assert "secret" not in caplog.text
    AppriseNotifier("team", "https://example.org/hook?key=1", wording()).check()


def test_plain_webhooks_keep_their_query() -> None:
    assert (
        webhook_url("https://example.org/a/b?key=1&x=%20")
        == "jsons://example.org/a/b?-key=1&-x=%20"
    )
    assert webhook_url("mailto://x") == "mailto://x"


def test_a_publisher_that_raises_is_a_failed_notification() -> None:
    def publish(topic, payload, retain):
        raise OSError("no route")

    mqtt = MqttNotifier(publish, lambda *key: None)
    book = AlertBook(":memory:", [mqtt])
    raised(book)
    with pytest.raises(NotificationFailed, match="no route"):
        asyncio.run(mqtt.send(book.notice(2)))


def test_every_event_that_people_are_told_has_a_phrase() -> None:
    assert {key.split(".")[1] for key in phrases() if key.startswith("event.")} == set(
        EVENTS
    ) - UNHEARD
