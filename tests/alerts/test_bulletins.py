"""Reminders, supervision and monthly bulletins: what they say, and that each comes once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.bulletin import Bulletin
from alerts.desk import BulletinDesk
from alerts.findings import Step
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.outbox import Outbox
from alerts.notify.wording import Wording, bulletin_text
from alerts.periods import KINDS, due_between, local_day, next_due_ms, period_of
from alerts.store import book_file
from alerts.store import outbox as outbox_rows
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from files.secret import Secret

from .district import SHANGHAI, District, at

HALF_PAST_EIGHT = 510


def team(name: str = "team", **options: object) -> AppriseNotifier:
    wanted = Filter(**{key: options.pop(key) for key in ("zones", "rules") if key in options})
    words = Wording("en", SHANGHAI, {"Z01": "Old Town", "Z02": "Harbour"})
    settings = {"bulletins": KINDS, "bulletins_at_min": HALF_PAST_EIGHT, **options}
    return AppriseNotifier(name, Secret("json://x"), words, wanted, **settings)


def issued(book: AlertBook) -> list[tuple[str, Bulletin]]:
    """All bulletins with their recipients, in the order in which they were made."""
    with book.file.reading() as db:
        rows = db.execute("SELECT recipient, body FROM bulletin ORDER BY id").fetchall()
    return [(recipient, msgspec.json.decode(body, type=Bulletin)) for recipient, body in rows]


class Desk(District):
    """A district whose evaluations are followed by bulletins."""

    def __init__(self, *zone_ids: str, readers=None, path=":memory:", **options) -> None:
        self.readers = readers or [team()]
        options.setdefault("off", ("coverage_at_risk", "look_back_due", "coverage_short"))
        super().__init__(*zone_ids, book=AlertBook(path, self.readers), **options)
        self.reopen()
        self.made = []

    def reopen(self) -> None:
        self.desk = BulletinDesk(self.book, self.policies, self.record, self.readers, SHANGHAI)

    def issue(self, when: str):
        """Bulletins made at an instant, as ``kind period verdict``."""
        self.made = self.desk.issue(at(when))
        return [f"{b.kind} {b.period} {b.verdict}" for b in self.made]

    def queued(self) -> list[str]:
        with self.book.file.reading() as db:
            rows = db.execute("SELECT bulletin FROM outbox WHERE bulletin IS NOT NULL").fetchall()
        found = [outbox_rows.OutboxRows(self.book.file).bulletin(number) for (number,) in rows]
        return [f"{b.kind} {b.period}" for b in found]


def test_open_alerts_are_reminded_of_every_day_until_they_are_closed() -> None:
    desk = Desk(readers=[team(bulletins=("daily",))])
    desk.issue("23 07:00")
    desk.run("23 08:00", "23 08:30")
    assert desk.issue("23 08:30") == ["daily 2026-11-22 nothing_open"]
    desk.run("23 08:31", "23 11:00")
    assert desk.issue("24 08:29:59") == []
    assert desk.issue("24 08:30") == ["daily 2026-11-23 sent"]
    assert [alert.rule for alert in desk.made[0].open] == ["zone_unpatrolled"]
    assert desk.issue("24 08:31") == []
    desk.book.acknowledge(desk.alert().alert_id, "li", at("24 09:00"))
    assert desk.issue("25 09:00") == ["daily 2026-11-24 sent"]
    assert desk.made[0].open[0].acknowledged_by == "li"
    desk.patrols.patrol("Z01", "25 09:30")
    desk.run("25 09:31", "25 09:40")
    assert desk.issue("26 08:30") == ["daily 2026-11-25 nothing_open"]
    assert [text.split()[0] for text in desk.queued()] == ["daily", "daily"]


def test_what_came_due_while_nothing_ran_is_made_when_it_runs_again() -> None:
    """Three days away: one reminder that stands for three, both weeks, the month."""
    desk = Desk()
    desk.issue("23 07:00")
    desk.run("23 08:00", "23 11:00")
    desk.issue("23 11:00")
    desk.reopen()
    assert desk.issue("2026-12-08T10:00") == [
        "daily 2026-12-07 sent",
        "weekly 2026-W48 sent",
        "weekly 2026-W49 sent",
        "monthly 2026-11 sent",
    ]
    assert desk.made[0].missed == 14
    assert bulletin_text(desk.made[0], Wording("en", SHANGHAI)).body.endswith(
        "14 earlier ones could not be sent in time; this one stands for them.\n"
        "It was due at 2026-12-08 08:30."
    )


@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_was_ahead_costs_no_bulletin(restart) -> None:
    """Two weeks ahead for a moment; then each day has its reminder, that day too, and only one."""
    desk = Desk(readers=[team(bulletins=("daily",))])
    desk.issue("23 07:00")
    desk.run("23 08:00", "23 11:00")
    assert desk.issue("2026-12-07T08:30") == ["daily 2026-12-06 sent"]
    if restart:
        desk.reopen()
    assert desk.issue("23 11:01") == []
    happened = [desk.issue(f"{day} {hour}") for day in range(24, 31) for hour in ("08:30", "08:31")]
    assert [made for made in happened if made] == [
        [f"daily 2026-11-{day} sent"] for day in range(23, 30)
    ]
    # A moment back over the time itself: it was made.
    assert desk.issue("30 08:29:59") == []
    assert desk.issue("30 08:30") == []
    assert desk.issue("2026-12-07T08:30") == ["daily 2026-12-06 sent"], "the right one"
    assert desk.made[0].made_at_ms == at("2026-12-07T08:30")
    assert desk.made[0].missed == 6
    assert desk.issue("2026-12-08T08:30") == ["daily 2026-12-07 sent"]


def test_a_new_recipient_gets_what_comes_due_from_then_on() -> None:
    desk = Desk()
    assert desk.issue("24 10:00") == []
    assert desk.issue("25 08:30") == ["daily 2026-11-24 nothing_open"]


def test_off_duty_and_paused_suppress_and_say_so() -> None:
    """A Sunday without duty, a zone that is paused: nobody is reminded, and the book knows why."""
    pause = {"zones": ["Z02"], "from": "2026-11-24", "to": "2026-11-25", "paused": "台风"}
    hours = ["Mon-Sat 08:00-18:00"]
    desk = Desk("Z01", "Z02", campaigns={"typhoon": pause}, hours=hours)
    desk.issue("23 09:00")
    desk.run("23 08:00", "23 11:00")
    assert desk.issue("24 08:30")[-1] == "daily 2026-11-23 sent"
    (reminder,) = desk.made
    assert [alert.zone_id for alert in reminder.open] == ["Z01"]
    assert [(held.reason, held.detail) for held in reminder.suppressed] == [("paused", "台风")]
    text = bulletin_text(reminder, Wording("zh", SHANGHAI))
    assert "暂停巡查，不催办：1 项（台风）。" in text.body
    desk.issue("28 09:00")
    assert desk.issue("29 08:30") == ["daily 2026-11-28 suppressed"]  # a Sunday
    assert {held.reason for held in desk.made[0].suppressed} == {"off_duty"}
    assert not any(name == "daily 2026-11-28" for name in desk.queued())


def test_a_shelved_alert_is_counted_and_not_reminded_of() -> None:
    desk = Desk()
    desk.issue("23 09:00")
    desk.run("23 08:00", "23 11:00")
    alert_id = desk.alert().alert_id
    desk.book.shelve(alert_id, "li", at("23 12:00"), until_ms=at("30 00:00"), reason="road works")
    assert desk.issue("24 08:30") == ["daily 2026-11-23 suppressed"]
    assert desk.made[0].suppressed[0].alerts == (alert_id,)


def put(book: AlertBook, when: str, zone: str, end: str | None, rule="zone_unpatrolled") -> None:
    """An alert, and how it ended: closed, void or None."""
    steps = [Step("raise", "x", {}), Step("activate", "x", {})]
    if end == "closed":
        steps += [Step("return", "x", {}), Step("close", "x", {})]
    if end == "void":
        steps.append(Step("void", "late_telemetry", {}))
    book.record([Change(Opening(rule, "critical", zone), tuple(steps))], at(when))


def test_the_closing_rate_is_closed_of_raised_by_zone_rule_and_period() -> None:
    desk = Desk("Z01", "Z02")
    desk.issue("2026-10-20T09:00")
    put(desk.book, "2026-10-31T23:59:59", "Z01", "closed")  # the month before
    put(desk.book, "2026-11-01T00:00:00", "Z01", "closed")
    put(desk.book, "2026-11-12T09:00:00", "Z01", None, rule="coverage_short")
    put(desk.book, "2026-11-12T10:00:00", "Z02", "closed")
    put(desk.book, "2026-11-30T23:59:59", "Z02", "void")
    put(desk.book, "2026-12-01T00:00:00", "Z02", "closed")  # the month after
    desk.issue("2026-12-01T08:30")
    month = next(b for b in desk.made if (b.kind, b.period) == ("monthly", "2026-11"))
    assert (month.total.raised, month.total.closed, month.total.voided) == (3, 2, 1)
    assert month.total.rate == pytest.approx(2 / 3)
    assert {zone: (t.raised, t.closed) for zone, t in month.by_zone.items()} == {
        "Z01": (2, 1),
        "Z02": (1, 1),
    }
    assert {rule: t.rate for rule, t in month.by_rule.items()} == {
        "coverage_short": 0.0,
        "zone_unpatrolled": 1.0,
    }
    text = bulletin_text(month, Wording("zh", SHANGHAI, {"Z01": "老城"}))
    assert text.title == "【智巡】每月通报 2026-11"
    assert text.body.startswith("2026-11 告警 3 项，已销号 2 项，销号率 66.7%。\n")
    assert "· 老城：告警 2，销号 1，销号率 50.0%" in text.body
    english = bulletin_text(month, Wording("en", SHANGHAI))
    assert "- Z02: 1 raised, 1 closed, 100.0%" in english.body


def test_a_month_tells_the_coverage_where_the_record_has_all_of_it() -> None:
    desk = Desk("Z01", since="01 00:00", frequency="99h")
    desk.issue("01 07:00")
    for day in range(1, 11):
        desk.patrols.patrol("Z01", f"{day:02} 10:00", cells=8)
    desk.patrols.patrol("Z01", "12 10:00", cells=9)
    assert "monthly 2026-11 sent" in desk.issue("2026-12-01T08:30")
    (zone,) = desk.made[-1].coverage
    assert (zone.cells_covered, zone.cells_total, zone.windows, zone.reached) == (9, 10, 30, 11)
    told = desk.evaluator.windows(at("01 00:00"), at("2026-12-01T08:30"))
    assert Counter(found.verdict for _, found in told) == {"reached": 11, "short": 19}
    text = bulletin_text(desk.made[-1], Wording("zh", SHANGHAI)).body
    assert "30 个时段中 11 个达标，19 个未达标" in text
    silent = replace(zone, short=15, unknown={"telemetry_silent": 3, "before_record": 1})
    text = bulletin_text(replace(desk.made[-1], coverage=[silent]), Wording("en", SHANGHAI)).body
    assert "11 of 30 windows reached their target, 15 were short of it, 3 unknown (no telem" in text
    assert "1 unknown (the record begins later)" in text
    late = Desk("Z01", since="10 00:00")
    late.issue("10 07:00")
    late.issue("2026-12-01T08:30")
    assert late.made[-1].coverage == []


def test_everybody_is_told_only_of_their_own() -> None:
    desk = Desk("Z01", "Z02", readers=[team("harbour", zones={"Z02"}), team("none", bulletins=())])
    desk.issue("23 07:00")
    desk.run("23 08:00", "23 11:00")
    desk.issue("24 08:30")
    assert [alert.zone_id for alert in desk.made[0].open] == ["Z02"]
    assert {name for name, _ in issued(desk.book)} == {"harbour"}


def test_a_bulletin_is_delivered_like_any_notification(tmp_path) -> None:
    """Through the outbox: after a restart, until the recipient has it, in their language."""
    sent = []

    class Paper(AppriseNotifier):
        async def send_bulletin(self, bulletin):
            sent.append(bulletin_text(bulletin, self._wording).title)

    reader = Paper("team", "json://x", Wording("en", SHANGHAI), bulletins=("daily",))
    desk = Desk(readers=[reader], path=tmp_path / "alerts.sqlite")
    desk.issue("23 07:00")
    desk.run("23 08:00", "23 11:00")
    desk.issue("24 08:30")
    desk.book.close_file()
    book = AlertBook(tmp_path / "alerts.sqlite", [reader])
    outbox = Outbox(book.file, [reader], lambda: at("24 08:40"))
    with book.file.transaction() as db:
        db.execute("DELETE FROM outbox WHERE seq IS NOT NULL")
    for _ in range(2):
        asyncio.run(outbox.deliver_due(at("24 08:40"), "team"))
    assert sent == ["[Zhixun] Daily reminder 2026-11-24: 1 open"]


def test_an_older_book_is_brought_up_to_date_with_what_waits_in_it(tmp_path) -> None:
    """Alerts, history and outbox of a file of format 1 are all there afterwards."""
    path = tmp_path / "alerts.sqlite"
    db = sqlite3.connect(path)
    db.executescript(book_file._FIRST)
    db.execute(
        "INSERT INTO alert VALUES (1, 'zone_unpatrolled', 'critical', 'Z01', NULL, NULL, NULL)"
    )
    for event, before, after in (("raise", "none", "pending"), ("activate", "pending", "active")):
        db.execute(
            "INSERT INTO transition (number, event, from_state, to_state, actor, at_ms, reason, "
            "evidence) VALUES (1, ?, ?, ?, 'system', 1, '', '{}')",
            (event, before, after),
        )
    db.execute("INSERT INTO outbox (seq, channel, lane) VALUES (2, 'team', 'Z01/zone_unpatrolled')")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()
    book = AlertBook(path, [team()])
    assert [alert.state for alert in book.current()] == ["active"]
    assert outbox_rows.OutboxRows(book.file).pending() == {"team": 1}
    put(book, "23 10:00", "Z02", None)
    with book.file.reading() as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


# -- restarts ----------------------------------------------------------------------------

CLERK = textwrap.dedent(
    """
    import sys
    from zoneinfo import ZoneInfo
    import structlog
    from alerts.store.book import AlertBook
    from alerts.desk import BulletinDesk
    from alerts.notify.apprise import AppriseNotifier
    from alerts.notify.wording import Wording
    from alerts.plan import Policies
    from files.secret import Secret

    class Nothing:
        since_ms = behind_ms = 0
        def zones(self):
            return []

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    tz = ZoneInfo("Asia/Shanghai")
    words = Wording("en", tz)
    kinds = ("daily", "weekly", "monthly")
    team = AppriseNotifier("team", Secret("json://x"), words, bulletins=kinds)
    book = AlertBook(sys.argv[1], [team])
    keys = {"frequency": "2h", "target": 0.5, "window": "day"}
    policies = Policies.parse({"Z01": "core"}, {"core": keys}, tz)
    desk = BulletinDesk(book, policies, lambda now_ms: Nothing(), [team], tz)
    now_ms = int(sys.argv[2])
    print("ready", flush=True)
    while True:
        for bulletin in desk.issue(now_ms):
            print(bulletin.kind, bulletin.period, flush=True)
        now_ms += 3_600_000
    """
)


def test_a_killed_process_loses_no_bulletin_and_repeats_none(tmp_path) -> None:
    """SIGKILL at any moment: each day, week and month has one row, and one in the outbox."""
    path = tmp_path / "alerts.sqlite"
    book = AlertBook(path)
    put(book, "01 10:00", "Z01", None)
    book.close_file()
    told: list[str] = []
    start_ms = at("01 12:00")
    for kill_after in (1, 2, 9, 31):
        clerk = subprocess.Popen(
            [sys.executable, "-c", CLERK, str(path), str(start_ms)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert clerk.stdout.readline() == "ready\n"
        told += [clerk.stdout.readline().strip() for _ in range(kill_after)]
        os.kill(clerk.pid, signal.SIGKILL)
        told += [line.strip() for line in clerk.stdout if line.endswith("\n")]
        clerk.wait()
        book = AlertBook(path)
        made = [bulletin for _, bulletin in issued(book)]
        # The next life begins where the last one may have stopped: anywhere after its last row.
        start_ms = max(bulletin.made_at_ms for bulletin in made)
        book.close_file()
    book = AlertBook(path)
    names = [f"{b.kind} {b.period}" for _, b in issued(book)]
    assert len(names) == len(set(names))
    assert len(told) == len(set(told))
    assert set(told) <= set(names)
    last_ms = max(b.made_at_ms for _, b in issued(book))
    for kind in KINDS:
        due = due_between(kind, at("01 12:00"), last_ms - 86_400_000, 510, SHANGHAI)
        assert {f"{kind} {period.name}" for _, period in due} <= set(names)
    with book.file.reading() as db:
        (queued,) = db.execute("SELECT COUNT(*) FROM outbox WHERE bulletin NOT NULL").fetchone()
    assert queued == len(names)


@settings(max_examples=25)
@given(
    hours=st.lists(st.integers(0, 24 * 80), min_size=1, max_size=60),
    restarts=st.sets(st.integers(0, 60), max_size=20),
)
def test_whenever_it_runs_each_period_comes_at_most_once_and_the_latest_always(
    hours, restarts
) -> None:
    """But for those that were made too early, before the clock was set back."""
    desk = Desk()
    desk.issue("2026-09-30T12:00")
    put(desk.book, "2026-09-30T12:30", "Z01", None)
    start_ms = at("2026-10-01T00:00")
    made, since_ms, now_ms = [], at("2026-09-30T12:00"), start_ms
    for index, hour in enumerate(hours):  # the clock may also be set back
        if index in restarts:
            desk.reopen()
        before_ms, now_ms = now_ms, start_ms + hour * 3_600_000
        since_ms = now_ms if now_ms < before_ms else since_ms
        made = [bulletin for bulletin in made if bulletin.due_ms <= now_ms]
        made += desk.desk.issue(now_ms)
    names = [(b.kind, b.period) for b in made]
    assert len(names) == len(set(names))
    for kind in KINDS:
        due = due_between(kind, since_ms, now_ms, HALF_PAST_EIGHT, SHANGHAI)
        if due:
            assert (kind, due[-1][1].name) in names


# -- the calendar ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "day", "name", "first", "after"),
    [
        ("daily", "2026-12-31", "2026-12-31", "2026-12-31", "2027-01-01"),
        ("weekly", "2027-01-01", "2026-W53", "2026-12-28", "2027-01-04"),
        ("weekly", "2026-11-23", "2026-W48", "2026-11-23", "2026-11-30"),
        ("monthly", "2028-02-29", "2028-02", "2028-02-01", "2028-03-01"),
        ("monthly", "2026-12-01", "2026-12", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods_are_those_of_the_calendar(kind, day, name, first, after) -> None:
    period = period_of(kind, date.fromisoformat(day), SHANGHAI)
    midnight = "T00:00"
    assert period == (kind, name, at(first + midnight), at(after + midnight))


@settings(max_examples=200)
@given(
    kind=st.sampled_from(KINDS),
    after_h=st.integers(0, 24 * 400),
    span_h=st.integers(0, 24 * 70),
    at_min=st.integers(0, 1439),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"]),
)
def test_due_times_are_whole_and_in_order_in_any_zone(kind, after_h, span_h, at_min, zone) -> None:
    """Cut anywhere, a span has the same due times as uncut; each is on the right local minute."""
    tz = ZoneInfo(zone)
    after_ms = at("2026-01-01T00:00") + after_h * 3_600_000
    until_ms = after_ms + span_h * 3_600_000
    middle_ms = after_ms + (until_ms - after_ms) // 3
    due = due_between(kind, after_ms, until_ms, at_min, tz)
    cut = due_between(kind, after_ms, middle_ms, at_min, tz)
    assert cut + due_between(kind, middle_ms, until_ms, at_min, tz) == due
    for due_ms, period in due:
        local = datetime.fromtimestamp(due_ms / 1000, UTC).astimezone(tz)
        assert (local.hour * 60 + local.minute - at_min) % 60 == 0  # an hour off in a gap
        assert period.to_ms <= due_ms
        assert period.name == period_of(kind, local_day(period.from_ms, tz), tz).name
    if due:
        assert next_due_ms(kind, after_ms, at_min, tz) == due[0][0]
