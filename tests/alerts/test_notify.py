"""Notifications: what is told to programs by the topic and to people by their channel."""

from __future__ import annotations

import asyncio
import threading

import pytest

from alerts.duty_hours import Window
from alerts.errors import NotificationFailed, PolicyError
from alerts.lifecycle import EVENTS
from alerts.notify import UNHEARD, Filter
from alerts.notify.apprise import THREADS, AppriseNotifier, webhook_url
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.notify.wording import phrases
from alerts.store.book import AlertBook
from files.secret import Secret
from tests.patience import PATIENCE_S, until_async
from tests.servers import Answer, Request, answering

from .notices import T0, Hook, counts, drain, ended, line, raised, wording


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


@pytest.mark.parametrize("url", ["json://{}/hook", "http://{}/hook"])
def test_a_webhook_that_fails_first_is_told_again(url) -> None:
    """500, then 200: one notification arrives, one failure is counted, nothing waits."""
    with Hook(500) as hook:
        people = AppriseNotifier("team", Secret(url.format(hook.address)), wording())
        _, book, outbox = line(extra=[people])
        raised(book)
        asyncio.run(drain(outbox, "team"))
        assert counts(book, "team") == (1, 0, 1)
        asyncio.run(drain(outbox, "team", T0 + 1000))
        assert counts(book, "team") == (0, 1, 1)
    assert [(code, path) for code, path, _ in hook.received] == [(500, "/hook"), (200, "/hook")]
    message = hook.received[1][2]
    assert message["title"] == "【智巡】告警：老城核心片区 · 片区超时未巡"
    assert "已2小时5分钟未巡查" in message["message"]
    assert "每2小时一次" in message["message"]
    assert message["type"] == "failure"


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
        people = AppriseNotifier("team", Secret(f"json://{address}/"), wording())
        sending = [asyncio.create_task(people.send(notice)) for _ in range(60)]
        await until_async(lambda: len(asked) == THREADS)
        await asyncio.wait_for(asyncio.to_thread(int), 15)
        assert not any(task.done() for task in sending)
        for task in sending:
            task.cancel()

    with answering(silent) as url:
        asyncio.run(scenario(url.removeprefix("http://")))
        never.set()


def test_filters_choose_what_people_are_told() -> None:
    """By severity, rule and zone; what a person did just now is not news."""
    events = []

    class Taker:
        def __init__(self, name, **wanted):
            self.name = name
            self.inner = AppriseNotifier(name, Secret("json://x"), wording(), Filter(**wanted))

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
        AppriseNotifier("team", Secret("nonsense://secret"), wording()).check()
    assert "notify.team.url" in str(wrong.value)
    assert "secret" not in str(wrong.value)
    assert "secret" not in caplog.text
    AppriseNotifier("team", Secret("https://example.org/hook?key=1"), wording()).check()


def test_plain_webhooks_keep_their_query() -> None:
    assert (
        webhook_url("https://example.org/a/b?key=1&x=%20")
        == "jsons://example.org/a/b?-key=1&-x=%20"
    )
    assert webhook_url("mailto://x") == "mailto://x"


def test_a_publisher_that_raises_is_a_failed_notification() -> None:
    async def publish(topic, payload, retain):
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
