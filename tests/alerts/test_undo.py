"""Undoing: what somebody has just done to an alert is taken back, and both stay on record."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import undo_until_ms
from alerts.duty_hours import Window
from alerts.errors import TransitionRefused
from alerts.evaluator import escalations
from alerts.findings import Step, proof
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Wording
from alerts.periods import Period
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from alerts.store.outbox import raised_in
from files.secret import Secret

from .district import SHANGHAI, District, at
from .notices import drain, ended, line
from .notices import raised as noticed
from .test_book import raised

WITHIN_MS = 10_000
PROOF = {"bike": "hello/B01", "at_ms": 1500}


def returned(book: AlertBook, zone_id: str = "Z01", at_ms: int = 2000) -> str:
    """An alert that a patrol has ended."""
    alert_id = raised(book, zone_id)
    book.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], at_ms)
    return alert_id


def undo(book: AlertBook, alert_id: str, now_ms: int, actor: str = "li"):
    return book.undo(alert_id, actor, now_ms, within_ms=WITHIN_MS)


ACTS = {
    "acknowledge": lambda book, alert_id, ms: book.acknowledge(alert_id, "li", ms),
    "assign": lambda book, alert_id, ms: book.assign(alert_id, "li", ms, to="wang"),
    "note": lambda book, alert_id, ms: book.note(alert_id, "li", ms, reason="dog"),
    "shelve": lambda book, alert_id, ms: book.shelve(
        alert_id, "li", ms, until_ms=ms + 10**6, reason="fog"
    ),
    "unshelve": lambda book, alert_id, ms: book.unshelve(alert_id, "li", ms),
    "close": lambda book, alert_id, ms: book.close(alert_id, "li", ms, "seen"),
}


@pytest.mark.parametrize(
    ("before", "act"),
    [
        ((), "acknowledge"),
        ((), "assign"),
        (("acknowledge", "assign"), "assign"),
        (("acknowledge",), "note"),
        (("acknowledge",), "shelve"),
        (("shelve",), "unshelve"),
        (("return", "shelve"), "unshelve"),
        (("return",), "shelve"),
        (("acknowledge", "return"), "close"),
    ],
)
def test_the_alert_is_as_it_was_and_the_history_longer(before, act) -> None:
    """Also in a book that is opened again, and for those who are told of it later."""
    book = AlertBook(":memory:")
    alert_id = raised(book)
    for number, each in enumerate(before):
        if each == "return":
            book.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], 2000 + number)
        else:
            ACTS[each](book, alert_id, 2000 + number)
    was = book.get(alert_id)
    ACTS[act](book, alert_id, 5000)
    now = undo(book, alert_id, 9000)
    *rest, undone, undoing = now.history
    assert tuple(rest) == was.history
    assert now == msgspec.structs.replace(was, updated_at_ms=9000, history=now.history)
    assert (undoing.event, undoing.actor, undoing.at_ms) == ("undo", "li", 9000)
    assert undoing.evidence == {"undone": undone.seq, "event": undone.event}
    assert (undoing.from_state, undoing.to_state) == (undone.to_state, undone.from_state)
    assert now.undone == {undone.seq}
    assert now.standing == was.history
    assert book.get(alert_id) == now == book.notice(undoing.seq).alert
    assert book.current() == [now]


def test_only_the_last_act_of_the_same_person_within_the_time() -> None:
    """Each refusal has its name, and changes nothing."""
    book = AlertBook(":memory:")
    alert_id = raised(book)

    def refused(now_ms: int, actor: str = "li") -> str:
        before = book.get(alert_id)
        with pytest.raises(TransitionRefused) as error:
            undo(book, alert_id, now_ms, actor)
        assert book.get(alert_id) == before
        return error.value.reason

    assert refused(1000) == "nothing_to_undo"
    assert refused(1000, "system") == "nothing_to_undo"
    book.acknowledge(alert_id, "li", 2000)
    assert refused(3000, "wang") == "not_yours"
    assert refused(12_001) == "too_late_to_undo"
    undo(book, alert_id, 12_000)
    assert refused(12_000) == "nothing_to_undo"  # an undoing is not undone: acknowledge it again
    book.acknowledge(alert_id, "li", 13_000)
    book.note(alert_id, "wang", 13_500, reason="on my way")
    assert refused(14_000) == "not_yours"
    book.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], 14_000)
    assert refused(14_500) == "nothing_to_undo"


def test_until_when_it_can_be_undone() -> None:
    """Only what people do; the row says who."""
    book = AlertBook(":memory:")
    alert_id = raised(book)
    assert undo_until_ms(book.get(alert_id).history[-1], WITHIN_MS) is None
    last = book.acknowledge(alert_id, "li", 2000).history[-1]
    assert undo_until_ms(last, WITHIN_MS) == 12_000
    assert undo_until_ms(undo(book, alert_id, 3000).history[-1], WITHIN_MS) is None


def test_an_undone_closing_puts_the_alert_back_in_its_place() -> None:
    """Open alerts stay in the order in which they were raised."""
    book = AlertBook(":memory:")
    ids = [returned(book, zone_id) for zone_id in ("Z01", "Z02", "Z03")]
    book.close(ids[1], "li", 3000)
    assert [alert.alert_id for alert in book.current()] == [ids[0], ids[2]]
    assert undo(book, ids[1], 4000).closed_at_ms is None
    assert [alert.alert_id for alert in book.current()] == ids


def test_there_is_never_more_than_one_open_alert_of_a_key() -> None:
    """When the condition has come true again meanwhile, the closing stands."""
    book = AlertBook(":memory:")
    alert_id = returned(book)
    book.close(alert_id, "li", 3000)
    other = Opening("zone_unpatrolled", "critical", "Z01", None)
    book.record([Change(other, (Step("raise", "idle_over_frequency", {}),))], 4000)
    with pytest.raises(TransitionRefused) as error:
        undo(book, alert_id, 5000)
    assert error.value.reason == "raised_again"
    assert book.get(alert_id).state == "closed"


def test_an_undone_acknowledgement_is_none_for_the_escalation() -> None:
    """The time without one counts from where it did; an undone return to active starts none."""
    district = District("Z01")
    book = AlertBook(":memory:")
    alert_id = raised(book, at_ms=at("23 10:00"))
    book.acknowledge(alert_id, "li", at("23 10:05"))
    assert book.get(alert_id).unacknowledged_since_ms is None
    alert = undo(book, alert_id, at("23 10:05"))
    assert alert.unacknowledged_since_ms == at("23 10:00")

    class Chief:
        name = "chief"
        escalate_after_s = 1800.0

        def concerns(self, alert: object) -> bool:
            return True

    duty = district.policies.plan("Z01")
    assert escalations(alert, [Chief()], duty, at("23 10:30"))
    book.shelve(alert_id, "li", at("23 11:00"), until_ms=at("23 12:00"), reason="fog")
    book.unshelve(alert_id, "li", at("23 11:10"))
    assert undo(book, alert_id, at("23 11:10")).unacknowledged_since_ms is None


def test_what_closes_an_alert_is_a_return_that_stands() -> None:
    """A return by unshelving that was undone proves nothing."""
    book = AlertBook(":memory:")
    alert_id = returned(book)
    book.shelve(alert_id, "li", 3000, until_ms=10**6, reason="fog")
    book.unshelve(alert_id, "li", 4000, "fog is gone")
    undo(book, alert_id, 5000)
    assert proof(book.get(alert_id)) == ("patrolled", PROOF)


def test_a_look_back_counts_from_a_closing_that_stands(tmp_path) -> None:
    """The one before an undone closing counts again, at once and after a restart."""
    path = tmp_path / "alerts.db"
    book = AlertBook(path)
    first = returned(book)
    book.close(first, "li", 3000)
    second = returned(book)
    book.close(second, "li", 6000)
    assert book.last_closing("zone_unpatrolled", "Z01") == (second, 6000)
    undo(book, second, 7000)
    assert book.last_closing("zone_unpatrolled", "Z01") == (first, 3000)
    again = AlertBook(path)
    assert again.last_closing("zone_unpatrolled", "Z01") == (first, 3000)
    book.close(second, "li", 9000)
    assert book.last_closing("zone_unpatrolled", "Z01") == (second, 9000)
    again = AlertBook(path)
    assert again.last_closing("zone_unpatrolled", "Z01") == (second, 9000)


def test_a_bulletin_does_not_count_an_undone_closing() -> None:
    """It counts where the alert is now."""
    book = AlertBook(":memory:")
    alert_id = returned(book)
    book.close(alert_id, "li", 3000)
    undo(book, alert_id, 4000)
    (case,) = raised_in(book.file, Period("daily", "1970-01-01", 0, 86_400_000))
    assert case.state == "returned"


@pytest.mark.parametrize("late", [False, True])
def test_the_topic_holds_an_alert_that_is_open_again(late: bool) -> None:
    """Whether the closing was told before it was undone or not."""
    broker, book, outbox = line()
    alert_id = noticed(book)
    book.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], 2000)
    book.close(alert_id, "li", 3000)
    topic = "patrol/v1/alerts/Z01/zone_unpatrolled"
    if not late:
        asyncio.run(drain(outbox))
        assert broker.retained[topic] is None
    undo(book, alert_id, 4000)
    asyncio.run(drain(outbox))
    data = broker.retained[topic]["data"]
    assert (data["state"], data["event"], data["evidence"]["event"]) == (
        "returned",
        "undo",
        "close",
    )
    ended_events = [message["data"]["event"] for _, message, _ in broker.messages if message]
    assert ended_events.count("close") == 1


def test_who_was_told_is_told_that_it_was_undone() -> None:
    """Closings are news to people, and so is that one is undone; acknowledgements are not."""
    words = {language: Wording(language, SHANGHAI, {"Z01": "东片区"}) for language in ("zh", "en")}
    team = AppriseNotifier("team", Secret("json://x"), words["zh"])
    chief = AppriseNotifier("chief", Secret("json://x"), words["zh"], escalate_after_s=60)
    closings = AppriseNotifier(
        "closings", Secret("json://x"), words["zh"], Filter(events={"close"})
    )
    book = AlertBook(":memory:", [team, chief, closings])

    def told(seq: int) -> set[str]:
        with book.file.reading() as db:
            return {name for (name,) in db.execute("SELECT channel FROM outbox WHERE seq=?", [seq])}

    alert_id = raised(book)
    book.acknowledge(alert_id, "li", 2000)
    assert told(undo(book, alert_id, 2500).history[-1].seq) == set()
    book.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], 3000)
    book.close(alert_id, "li", 4000)
    row = undo(book, alert_id, 4500).history[-1]
    assert told(row.seq) == {"team", "closings"} == told(row.seq - 1)
    zh, en = (words[language].of(book.notice(row.seq)) for language in ("zh", "en"))
    assert zh.title == "【智巡】“已销号”已撤回：东片区 · 片区超时未巡"
    assert en.title == "[Zhixun] “Closed” taken back: 东片区 · Zone not patrolled"
    assert "操作人：li。" in zh.body
    assert zh.kind == "info"


def test_an_alert_that_ended_by_itself_stays_ended() -> None:
    """What nobody did nobody can undo."""
    _, book, _ = line()
    alert_id = noticed(book)
    ended(book, alert_id)
    with pytest.raises(TransitionRefused) as error:
        undo(book, alert_id, 10**13, "system")
    assert error.value.reason == "nothing_to_undo"


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*ACTS, "return", "undo"]), max_size=25))
def test_an_alert_is_the_sum_of_the_rows_that_stand(acts: list[str]) -> None:
    """Whatever people do and undo: as if what was undone had never been done."""
    book, shadow = AlertBook(":memory:"), AlertBook(":memory:")
    alert_id = raised(book, window=Window(1, 2))
    kept: list[tuple[str, int]] = []
    for number, act in enumerate(acts):
        now_ms = 2000 + number
        try:
            if act == "undo":
                undo(book, alert_id, now_ms)
                kept.pop()
            elif act == "return":
                step = Step("return", "patrolled", PROOF)
                if book.record([Change(alert_id, (step,))], now_ms):
                    kept.append((act, now_ms))
            else:
                ACTS[act](book, alert_id, now_ms)
                kept.append((act, now_ms))
        except TransitionRefused:
            continue
    raised(shadow, window=Window(1, 2))
    for act, now_ms in kept:
        if act == "return":
            shadow.record([Change(alert_id, (Step("return", "patrolled", PROOF),))], now_ms)
        else:
            ACTS[act](shadow, alert_id, now_ms)

    def bare(alert):
        events = [(row.event, row.at_ms) for row in alert.standing]
        return msgspec.structs.replace(alert, updated_at_ms=0, history=()), events

    assert bare(book.get(alert_id)) == bare(shadow.get(alert_id))
