"""Notifications: what is told to whom, and that it is told until it has arrived."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack
from zoneinfo import ZoneInfo

import pytest

from alerts.duty_hours import Window
from alerts.errors import BookUnavailable, NotificationFailed, PolicyError
from alerts.findings import Step
from alerts.lifecycle import EVENTS
from alerts.notify import UNHEARD, Filter
from alerts.notify.apprise import THREADS, AppriseNotifier, webhook_url
from alerts.notify.grouping import Gathering
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.notify.wording import Wording, phrases
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from alerts.store.outbox import LAST_RETRY_MS, OutboxRows, Waiting, retry_after_ms
from files.secret import Secret
from tests.full_disk import full_disk
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

    async def publish(self, topic: str, payload: bytes, retain: bool) -> bool:
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
    outbox = Outbox(book.file, [mqtt, *extra], lambda: T0, **{"gather_ms": 0, **options})
    book.listen(outbox.wake)
    return broker, book, outbox


def counts(book, channel) -> tuple[int, int, int]:
    """Rows of a channel that wait, that were delivered, and attempts that failed."""
    query = (
        "SELECT coalesce(sum(delivered_at_ms IS NULL), 0), coalesce(sum(delivered_at_ms > 0), 0), "
        "coalesce(sum(attempts - (ifnull(delivered_at_ms, 0) > 0)), 0) FROM outbox "
        "WHERE channel = ?"
    )
    with book.file.reading() as db:
        return db.execute(query, (channel,)).fetchone()


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


def silent(book, count, severity="warning", event="raise", at_ms=T0):
    """So many bikes are offline, in one transaction; the ids of their alerts."""
    silence = {"silence_s": 1900.0, "last_heard_ms": T0}
    steps = (Step("raise", "bike_silent", silence), Step("activate", "bike_silent", silence))
    bikes = [Opening("bike_offline", severity, bike=f"hello/B{n:04}") for n in range(count)]
    made = book.record([Change(bike, steps) for bike in bikes], at_ms)
    return [row.alert_id for row in made if row.event == "activate"]


@pytest.mark.parametrize(
    ("language", "title", "first", "last"),
    [
        (
            "zh",
            "【智巡】告警：3000 项 · 车辆离线",
            "· hello/B0000，A000001：",
            "……另有 2995 项。\n2026-11-23 10:00 · 全部见控制台“告警”页。",
        ),
        (
            "en",
            "[Zhixun] Alert: 3000 alerts · Bike offline",
            "- hello/B0000, A000001: ",
            "... and 2995 more.\n2026-11-23 10:00 · the page Alerts of the console lists all.",
        ),
    ],
)
def test_three_thousand_silent_bikes_are_one_message(language, title, first, last) -> None:
    """With a count, the first names and where to see the rest; recovery is one message too."""
    with Hook() as hook:
        people = AppriseNotifier("team", Secret(f"json://{hook.address}/"), wording(language))
        broker, book, outbox = line(extra=[people])
        ids = silent(book, 3000)
        asyncio.run(drain(outbox, "team"))
        steps = (Step("return", "heard_again", {}), Step("close", "heard_again", {}))
        book.record([Change(alert_id, steps) for alert_id in ids], T0 + 60_000)
        asyncio.run(drain(outbox, "team"))
    told = [message for _, _, message in hook.received]
    assert [len(told), told[0]["title"]] == [3, title]
    assert told[0]["message"].startswith(first)
    assert told[0]["message"].endswith(last)
    assert len(told[0]["message"].splitlines()) == 7
    assert counts(book, "team") == (0, 9000, 0), "each of the rows is booked"
    assert [m["type"] for m in told] == ["failure", "success", "success"]
    asyncio.run(outbox.deliver_due(T0, "mqtt"))
    assert broker.messages == [], "topics are those of zones"


def test_a_group_is_of_one_rule_severity_and_transition() -> None:
    """Programs get each; a retry keeps the group; a lane keeps its order."""
    with Hook(500) as hook:
        people = AppriseNotifier("team", Secret(f"json://{hook.address}/"), wording("en"))
        broker, book, outbox = line(extra=[people])
        silent(book, 2)
        silent(book, 1, severity="info")
        returned = [raised(book, zone) for zone in ("Z01", "Z02", "Z03")][-1]
        book.record([Change(returned, (Step("return", "patrolled", VISIT),))], T0)
        asyncio.run(drain(outbox, "team"))
        asyncio.run(drain(outbox, "team", T0 + 1000))
        asyncio.run(drain(outbox))
    titles = [message["title"].removeprefix("[Zhixun] ") for _, _, message in hook.received]
    assert len(titles) == 5, "four messages, and one of them again"
    assert set(titles) == {
        "Alert: 2 alerts · Bike offline",
        "Alert: 3 alerts · Zone not patrolled",
        "Alert: hello/B0000 · Bike offline",
        "Returned: Z03 · Zone not patrolled",
    }
    assert titles.index("Returned: Z03 · Zone not patrolled") > titles.index(
        "Alert: 3 alerts · Zone not patrolled"
    )
    assert counts(book, "team")[:2] == (0, 7)
    assert len(broker.messages) == 4


def test_acknowledgements_and_escalations_are_grouped_too() -> None:
    """What people did says who; what nobody acknowledged goes to the next recipient at once."""
    wanted = Filter(events={"acknowledge"})
    with Hook() as hook:
        people = AppriseNotifier("team", Secret(f"json://{hook.address}/"), wording("en"), wanted)
        _, book, outbox = line(extra=[people])
        ids = silent(book, 9)
        for alert_id in ids[:2]:
            book.acknowledge(alert_id, "li", T0, "on it")
        late = Step("escalate", "unacknowledged", {"recipient": "team", "waited_s": 900.0})
        book.record([Change(alert_id, (late,)) for alert_id in ids[2:]], T0)
        asyncio.run(drain(outbox, "team"))
    told = {message["title"]: message["message"] for _, _, message in hook.received}
    assert sorted(told) == [
        "[Zhixun] Acknowledged: 2 alerts · Bike offline",
        "[Zhixun] Escalated: 7 alerts · Bike offline",
    ]
    acknowledged, escalated = (told[title].splitlines() for title in sorted(told))
    assert acknowledged[:2] == [f"- hello/B000{n}, A00000{n + 1}: By li. on it" for n in range(2)]
    assert escalated[0] == ("- hello/B0002, A000003: Not acknowledged for 15 min of patrol hours.")
    assert escalated[5] == "... and 2 more."


def test_an_undo_is_told_by_itself() -> None:
    """Right after what it takes back, and nothing is remembered of it: there is no end of them."""
    _, book, _ = line()
    alert_id = raised(book)
    book.acknowledge(alert_id, "li", T0)
    book.undo(alert_id, "li", T0, within_ms=10_000)
    rows = OutboxRows(book.file)
    groups = []
    while due := rows.due("mqtt", T0, 9):
        groups += [row.group for row in due]
        rows.delivered(due, T0)
    about = "zone_unpatrolled critical"
    assert groups == [f"{about} activate", f"{about} acknowledge", None]


def test_a_group_is_gathered_for_a_short_time_and_longer_while_more_come() -> None:
    """One alert a second for ten minutes: seven messages, and after a quiet time the first wait."""
    gathering, told, waiting = Gathering(), [], []
    for second in range(600):
        waiting.append(Waiting(second, second, None, "team", 0, "bike_offline warning activate"))
        for rows in gathering.ripe(waiting, T0 + second * 1000):
            told.append((second, len(rows)))
            waiting = []
    assert [second for second, _ in told] == [3, 10, 23, 48, 97, 194, 387]
    assert sum(count for _, count in told) + len(waiting) == 600
    assert gathering.ripe(waiting, T0 + 775_000) == [waiting]
    late = [waiting[0]._replace(id=601)]
    assert gathering.ripe(late, T0 + 9_000_000) == []
    assert gathering.next_ms() == T0 + 9_003_000
    assert gathering.ripe(late, T0 + 9_003_000) == [late]
    bulletin = [Waiting(602, None, 1, "team", 0, None)]
    assert gathering.ripe(bulletin, T0) == [bulletin], "a bulletin waits for nothing"


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
