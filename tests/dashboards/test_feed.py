"""The event stream: newest state per thing, at a cost that does not pile up."""

from __future__ import annotations

import asyncio
import json
import re
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import Change
from bikes.roster import BikeKey
from bikes.telemetry import COLUMNS, Status, TelemetryBatch
from dashboards.api.mailbox import Mailbox, Thing, frame
from dashboards.api.sight import EVERYTHING, Herd, Sight
from dashboards.api.stream import Feed, Watch
from dashboards.api.times import Times
from dashboards.api.views import Views
from tests.dashboards.district import District

TIMES = Times(ZoneInfo("Asia/Shanghai"))


def events(wire: bytes) -> list[tuple[str, dict[str, object]]]:
    """The events of a piece of stream."""
    found = []
    for block in wire.decode().split("\n\n"):
        if block.startswith("event: "):
            event, data, *_ = block.split("\n")
            found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def watch(district: District) -> Feed:
    """A feed over a district."""
    sources, bikes = district.sources(), herd(district)
    return Feed(Watch(sources, TIMES, Views(sources, TIMES), bikes).look, bikes)


def herd(district: District) -> Herd:
    """The bikes of a district."""
    sources = district.sources()
    return Herd(sources, Views(sources, TIMES))


def taken(mailbox: Mailbox) -> bytes:
    """All that is in a mailbox."""
    return b"".join(mailbox.take())


def test_a_listener_first_gets_everything(district: District) -> None:
    """All bikes, zones and open alerts, and the system's health: no other request is needed."""
    alert_id = district.raise_alert("cy-08")
    found = events(taken(watch(district).join()))
    names = [name for name, _ in found]
    assert names.count("bike") == 28
    assert names.count("coverage") == 9
    assert [data["alert_id"] for name, data in found if name == "alert"] == [alert_id]
    (health,) = [data for name, data in found if name == "health"]
    assert (health["now_ms"], health["bikes"], health["ready"]) == (district.now_ms, 28, True)


def test_then_only_what_changed(district: District) -> None:
    """A bike that moves, the zone it is in, and one that is assessed anew; `health` goes on."""
    feed = watch(district)
    mailbox = feed.join()
    taken(mailbox)
    feed.poll()
    assert taken(mailbox) == b""
    district.ride(7, 36.305, 120.37)
    district.stand("cy-02", "due")
    feed.poll()
    found = events(taken(mailbox))
    assert {(n, d.get("bike_id") or d.get("zone_id")) for n, d in found} >= {
        ("bike", "bike-07"),
        ("coverage", "cy-02"),
    }
    entered = next(data["zone_id"] for name, data in found if name == "bike")
    zones = {data["zone_id"]: data for name, data in found if name == "coverage"}
    assert set(zones) == {"cy-02", entered}
    assert zones[entered]["bikes_inside"] == 1
    assert {name for name, _ in found} <= {"bike", "coverage", "health"}


def test_a_slow_listener_gets_the_newest_of_each_thing(district: District) -> None:
    """Its mailbox holds one frame per thing however often the thing changes."""
    feed = watch(district)
    slow, fast = feed.join(), feed.join()
    taken(slow)
    for step in range(200):
        district.now_ms += 1000
        district.ride(7, 36.305 + step / 1e5, 120.37)
        feed.poll()
        taken(fast)
    found = events(taken(slow))
    assert len(found) <= 3
    bikes = [data for name, data in found if name == "bike"]
    assert [bike["lat"] for bike in bikes] == [pytest.approx(36.305 + 199 / 1e5)]


def test_an_alert_comes_once_more_when_it_is_over(district: District) -> None:
    """So that a page can take it away."""
    alert_id = district.raise_alert("cy-08")
    feed = watch(district)
    mailbox = feed.join()
    taken(mailbox)
    district.return_alert(alert_id)
    feed.poll()
    district.book.close(alert_id, "li", district.now_ms)
    feed.poll()
    states = [data["state"] for name, data in events(taken(mailbox)) if name == "alert"]
    assert states == ["closed"]
    feed.poll()
    assert taken(mailbox) == b""


def last_event(wire: bytes) -> str:
    """The id that an EventSource has after a piece of stream."""
    return re.findall(rb"^id: (.*)$", wire, re.MULTILINE)[-1].decode()


def test_who_comes_back_gets_what_has_changed_since(district: District) -> None:
    """Wherever it broke off, also within the first events; an alert that is over meanwhile too."""
    alert_id = district.raise_alert("cy-08")
    feed = watch(district)
    wire = taken(feed.join())
    had = wire[: wire.index(b"\n\n", len(wire) // 2) + 2]
    district.ride(7, 36.305, 120.37)
    district.return_alert(alert_id)
    district.book.close(alert_id, "li", district.now_ms)
    feed.poll()
    district.now_ms += 3_600_000
    feed.poll()
    for broke_off in (had, wire):
        found = events(taken(feed.join(last_event(broke_off))))
        assert "whole" not in [name for name, _ in found]
        rest = events(wire)[len(events(broke_off)) :]
        assert len(found) >= len(rest)
        assert "closed" in [data["state"] for name, data in found if name == "alert"]
        assert "bike-07" in [data["bike_id"] for name, data in found if name == "bike"]


@pytest.mark.parametrize("named", [None, "", "x", "0-1", "{run}-", "{run}-x", "{run}-²"])
def test_who_names_no_event_of_this_run_gets_everything(
    district: District, named: str | None
) -> None:
    """The mark `whole` says to forget what one has; so it is after a restart."""
    feed = watch(district)
    run = last_event(taken(feed.join())).partition("-")[0]
    found = events(taken(feed.join(named and named.replace("{run}", run))))
    assert found[0] == ("whole", {})
    assert len(found) == 1 + 28 + 9 + 2


def test_what_is_long_over_is_forgotten(district: District) -> None:
    """Who was away for longer than the feed remembers gets everything."""
    state: dict[Thing, object] = {Thing("alert", str(n)): n for n in range(2_000)}
    feed = Feed(lambda: iter([state]), herd(district))
    early = last_event(taken(feed.join()))
    state = {Thing("alert", "new"): 0}
    feed.poll()
    assert b"whole" not in taken(feed.join(early))
    before = f"{early.partition('-')[0]}-1"
    assert taken(feed.join(before)).startswith(b"event: whole")


def test_hostile_text_cannot_end_a_frame() -> None:
    """A newline in a text is escaped by JSON, so no event can be forged inside another."""
    wire = frame(Thing("bike", "x"), {"bike_id": "a\n\nevent: alert\ndata: {}"}, "0")
    assert wire.count(b"\n") == 4
    assert len(events(wire)) == 1


def test_a_stream_ends_when_the_feed_is_closed(district: District) -> None:
    """Otherwise a server that waits for its connections could not stop."""

    async def listen() -> tuple[list[bytes], int]:
        feed = watch(district)
        pieces = []
        async for piece in feed.stream():
            pieces.append(piece)
            if len(pieces) == 2:
                asyncio.get_running_loop().call_soon(feed.close)
        return pieces, feed.listeners

    pieces, listeners = asyncio.run(asyncio.wait_for(listen(), 5))
    assert pieces[0].startswith(b"retry:")
    assert len(events(pieces[1])) == 1 + 28 + 9 + 2
    assert listeners == 0


def test_a_listener_that_leaves_is_forgotten(district: District) -> None:
    """Nothing is kept for it, and nobody looks at the state for nobody."""

    async def listen() -> int:
        feed = watch(district)
        stream = feed.stream()
        await anext(stream)
        assert feed.listeners == 1
        await stream.aclose()  # type: ignore[attr-defined]
        return feed.listeners

    assert asyncio.run(listen()) == 0


def test_a_mailbox_forgets_what_it_gave(district: District) -> None:
    """And is only filled by frames, not by polls that found nothing; they come by number."""
    mailbox = Mailbox(EVERYTHING, herd(district), lambda rows: [])
    mailbox.put({})
    assert not mailbox.filled.is_set()
    mailbox.put({Thing("alert", "a"): (1, b"1"), Thing("alert", "b"): (2, b"2")})
    mailbox.put({Thing("alert", "a"): (3, b"3")})
    assert mailbox.filled.is_set()
    assert taken(mailbox) == b"23"
    assert taken(mailbox) == b""


def bikes_of(wire: bytes) -> list[str]:
    """The bikes of a piece of stream."""
    return [str(data["bike_id"]) for name, data in events(wire) if name == "bike"]


BOX = Sight(box=(120.36, 36.30, 120.38, 36.31))


def test_who_looks_at_a_box_gets_the_bikes_in_it(district: District) -> None:
    """After `view`, which counts them; on the border too; one that leaves is told once more."""
    feed = watch(district)
    district.ride(7, 36.305, 120.37)
    district.ride(8, 36.30, 120.36)
    district.ride(9, 36.305, 120.40)
    mailbox = feed.join(None, BOX)
    found = events(taken(mailbox))
    assert [name for name, _ in found[:2]] == ["whole", "view"]
    assert found[1][1] == {"bikes": 2, "of": 2}
    assert {data["bike_id"] for name, data in found if name == "bike"} == {"bike-07", "bike-08"}
    for lng, told in ((120.39, ["bike-07"]), (120.392, []), (120.379, ["bike-07"])):
        district.now_ms += 1000
        district.ride(7, 36.305, lng)
        feed.poll()
        assert bikes_of(taken(mailbox)) == told


def test_a_zone_a_name_and_an_alert_are_looked_at_likewise(district: District) -> None:
    """Bikes with an open alert are told to everybody, wherever they are."""
    feed = watch(district)
    district.ride(7, 36.305, 120.37)
    zone = feed.join(None, Sight(zone_id="cy-01"))
    named = feed.join(None, Sight(bike=BikeKey("hello", "bike-07")))
    alerted = feed.join(None, Sight(alerted=True))
    nobody = feed.join(None, Sight(zone_id="no-such", bike=BikeKey("hello", "no-such")))
    assert bikes_of(taken(named)) == ["bike-07"]
    for mailbox in (zone, alerted, nobody):
        assert not bikes_of(taken(mailbox))
    opening = Opening("bike_offline", "warning", bike="hello/bike-03")
    district.book.record([Change(opening, (Step("raise", "bike_silent", {}),))], district.now_ms)
    lat, lng = district.zones.grid.centre(district.zones.cells("cy-01")[:1])
    district.ride(5, float(lat[0]), float(lng[0]))
    feed.poll()
    assert bikes_of(taken(zone)) == ["bike-03", "bike-05"]
    assert bikes_of(taken(alerted)) == bikes_of(taken(nobody)) == ["bike-03"]


def test_of_a_crowd_a_share_is_told(district: District) -> None:
    """The same bikes each time; when it gathers while one looks, the view begins anew."""

    def ride(count: int) -> None:
        district.now_ms += 1000
        rows = [district.roster.index("other", f"B{n}") for n in range(count)]
        columns = {
            "bike": rows,
            "timestamp_ms": district.now_ms,
            "lat_deg": 36.305,
            "lng_deg": 120.37,
        }
        batch = {n: np.full(count, columns.get(n, np.nan), t) for n, t in COLUMNS.items()}
        district.fleet.update(TelemetryBatch(**batch), heard_at_ms=district.now_ms)

    feed = watch(district)
    ride(1_900)
    mailbox = feed.join(None, BOX)
    assert len(bikes_of(taken(mailbox))) == 1_900
    ride(9_000)
    feed.poll()
    wire = taken(mailbox)
    assert events(wire)[0] == ("view", {"bikes": 1_125, "of": 9_000})
    assert len(bikes_of(wire)) == 1_125
    ride(9_000)
    feed.poll()
    assert sorted(bikes_of(taken(mailbox))) == sorted(bikes_of(wire))


def test_the_bikes_that_changed_are_those_whose_answer_did(district: District) -> None:
    """By columns as by comparing every answer: moved, silent, said anything, a grown roster."""
    sources, rng = district.sources(), np.random.default_rng(5)
    views, bikes = Views(sources, TIMES), herd(district)
    number, before = bikes.look(0), views.bikes(np.arange(len(district.roster)))
    for step in range(60):
        district.now_ms += int(rng.choice([1_000, 299_000, 3_600_000]))
        bike = int(rng.integers(len(district.roster)))
        match step % 6:
            case 0 | 1:
                district.ride(bike, 36.28 + rng.random() / 20, 120.35 + rng.random() / 10)
            case 2:
                district.ride(bike, 36.3, 120.4, at_ms=district.now_ms - 7_200_000)
            case 3:
                said = Status(bike=bike, timestamp_ms=district.now_ms, online=bool(rng.integers(2)))
                district.fleet.update_status([said], heard_at_ms=district.now_ms)
            case 4:
                district.roster.index("other", f"B{step}")
        was, number = number, bikes.look(number)
        now = views.bikes(np.arange(len(district.roster)))
        differs = [row for row, bike in enumerate(now) if row >= len(before) or bike != before[row]]
        assert np.flatnonzero(bikes.number > was).tolist() == differs
        assert bikes.bikes(np.array(differs, int)) == [now[row] for row in differs]
        assert bikes.alive["live"] == sum(bike["liveness"] == "live" for bike in now)
        before = now


def test_a_zone_of_which_only_the_clock_goes_on_is_told_every_ten_seconds(
    district: District,
) -> None:
    """Whatever else changes is told at once."""
    feed = watch(district)
    district.stand("cy-02", "due", idle_s=100.0, due_in_s=50.0)
    mailbox = feed.join()
    taken(mailbox)
    for idle_s, state, told in ((109.0, "due", 0), (110.0, "due", 1), (111.0, "overdue", 1)):
        district.stand("cy-02", state, idle_s=idle_s, due_in_s=150.0 - idle_s)
        feed.poll()
        found = [data for name, data in events(taken(mailbox)) if name == "coverage"]
        assert [data["idle_s"] for data in found] == [idle_s] * told
