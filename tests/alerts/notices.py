"""A book whose notices go to a broker and to people, for tests of what is told."""

from __future__ import annotations

import json
from contextlib import ExitStack

from alerts.findings import Step
from alerts.notify.mqtt import MqttNotifier
from alerts.notify.outbox import Outbox
from alerts.notify.wording import Wording
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from tests.servers import Answer, Request, answering

from .district import SHANGHAI

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


def silent(book, count, severity="warning", event="raise", at_ms=T0):
    """So many bikes are offline, in one transaction; the ids of their alerts."""
    silence = {"silence_s": 1900.0, "last_heard_ms": T0}
    steps = (Step("raise", "bike_silent", silence), Step("activate", "bike_silent", silence))
    bikes = [Opening("bike_offline", severity, bike=f"hello/B{n:04}") for n in range(count)]
    made = book.record([Change(bike, steps) for bike in bikes], at_ms)
    return [row.alert_id for row in made if row.event == "activate"]
