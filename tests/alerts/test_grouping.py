"""Many alerts of one rule are one message to people."""

from __future__ import annotations

import asyncio

import pytest

from alerts.findings import Step
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.grouping import Gathering
from alerts.store.book import Change
from alerts.store.outbox import OutboxRows, Waiting
from files.secret import Secret

from .notices import T0, VISIT, Hook, counts, drain, line, raised, silent, wording


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
