"""Timelines of what is told to the next recipient because nobody acknowledges it."""

from __future__ import annotations

from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Wording
from alerts.store.book import AlertBook
from files.secret import Secret

from .district import SHANGHAI, District, at


def recipient(name: str, after_s: float | None = None, **wanted: object) -> AppriseNotifier:
    words = Wording("en", SHANGHAI, {"Z01": "Old Town"})
    return AppriseNotifier(
        name, Secret("json://x"), words, Filter(**wanted), escalate_after_s=after_s
    )


def district_with(*recipients: AppriseNotifier, path: object = ":memory:", **options) -> District:
    book = AlertBook(path, recipients)
    return District(book=book, recipients=recipients, **options)


def told(district: District, name: str) -> list[str]:
    """Events in the outbox of a recipient, in order."""
    query = "SELECT seq FROM outbox WHERE channel = ? ORDER BY id"
    with district.book.file.reading() as db:
        rows = db.execute(query, (name,)).fetchall()
    return [district.book.notice(seq).transition.event for (seq,) in rows]


def test_the_next_recipient_hears_of_what_nobody_acknowledges_and_of_how_it_ends() -> None:
    district = district_with(recipient("desk"), recipient("chief", 900), recipient("head", 3600))
    assert district.run("23 08:00", "23 10:30")[1:] == [
        ("23 10:02", "Z01/zone_unpatrolled activate"),
        ("23 10:17", "Z01/zone_unpatrolled escalate"),
    ]
    assert told(district, "desk") == ["activate"]
    assert told(district, "chief") == ["escalate"]
    assert district.alert().escalated_to == ("chief",)
    district.patrols.patrol("Z01", "23 10:31")
    district.run("23 10:31", "23 10:40")
    assert told(district, "desk") == ["activate", "return", "close"]
    assert told(district, "chief") == ["escalate", "return", "close"]
    assert told(district, "head") == []


def test_an_alert_that_somebody_acknowledged_goes_no_further() -> None:
    district = district_with(recipient("chief", 900))
    district.run("23 08:00", "23 10:10")
    district.book.acknowledge(district.alert().alert_id, "li", at("23 10:10"))
    assert district.run("23 10:11", "23 12:00") == []


def test_an_alert_that_comes_back_is_news_to_those_who_were_told() -> None:
    district = district_with(recipient("chief", 900), auto_close=False)
    district.run("23 08:00", "23 10:20")
    district.patrols.patrol("Z01", "23 10:30")
    district.run("23 10:30", "23 12:35")
    assert told(district, "chief") == ["escalate", "return", "reopen"]


def test_the_clock_of_an_escalation_stops_off_duty() -> None:
    """Active at 17:55: ten minutes of the fifteen pass on the next morning."""
    district = district_with(recipient("chief", 900), frequency="9h", target=0.01)
    district.patrols.patrol("Z01", "23 08:53")
    happened = district.run("23 08:54", "24 09:00")
    events = [item for item in happened if "escalate" in item[1]]
    assert events == [("24 08:10", "Z01/zone_unpatrolled escalate")]


def test_a_pause_suppresses_an_escalation() -> None:
    pause = {"zones": ["Z01"], "from": "2026-11-23T10:10", "to": "2026-11-23T14:00"}
    campaigns = {"typhoon": {**pause, "paused": "台风"}}
    district = district_with(recipient("chief", 900), campaigns=campaigns)
    happened = district.run("23 08:00", "23 14:30")
    assert [when for when, event in happened if "escalate" in event] == ["23 14:07"]


def test_filters_hold_for_escalations_too() -> None:
    district = district_with(recipient("chief", 900, severities={"info"}))
    district.run("23 08:00", "23 11:00")
    assert told(district, "chief") == []


def test_a_restart_escalates_nothing_twice_and_forgets_nothing(tmp_path) -> None:
    path = tmp_path / "alerts.sqlite"
    for end in ("10:05", "10:20", "10:40"):
        district = district_with(recipient("chief", 900), path=path)
        district.run("23 08:00" if end == "10:05" else "23 10:06", f"23 {end}")
        district.book.close_file()
    district = district_with(recipient("chief", 900), path=path)
    assert told(district, "chief") == ["escalate"]


def test_the_words_of_an_escalation() -> None:
    chief = recipient("chief", 900)
    district = district_with(chief)
    district.run("23 08:00", "23 10:30")
    row = district.alert().history[-1]
    text = Wording("en", SHANGHAI, {"Z01": "Old Town"}).of(district.book.notice(row.seq))
    assert text.title == "[Zhixun] Escalated: Old Town · Zone not patrolled"
    assert text.body.startswith("Not acknowledged for 15 min of patrol hours.")
    assert text.kind == "failure"
