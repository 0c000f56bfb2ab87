"""The event stream: newest state per thing, at a cost that does not pile up."""

from __future__ import annotations

import asyncio
import json
import re
from zoneinfo import ZoneInfo

import pytest

from dashboards.api import stream as feed_module
from dashboards.api.stream import Feed, Mailbox, Thing, Watch
from dashboards.api.times import Times
from dashboards.api.views import Views
from tests.dashboards.district import District


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
    times = Times(ZoneInfo("Asia/Shanghai"))
    sources = district.sources()
    return Feed(Watch(sources, times, Views(sources, times)).look)


def test_a_listener_first_gets_everything(district: District) -> None:
    """All bikes, zones and open alerts, and the system's health: no other request is needed."""
    alert_id = district.raise_alert("cy-08")
    found = events(watch(district).join().take())
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
    mailbox.take()
    feed.poll()
    assert mailbox.take() == b""
    district.ride(7, 36.305, 120.37)
    district.stand("cy-02", "due")
    feed.poll()
    found = events(mailbox.take())
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
    slow.take()
    for step in range(200):
        district.now_ms += 1000
        district.ride(7, 36.305 + step / 1e5, 120.37)
        feed.poll()
        fast.take()
    found = events(slow.take())
    assert len(found) <= 3
    bikes = [data for name, data in found if name == "bike"]
    assert [bike["lat"] for bike in bikes] == [pytest.approx(36.305 + 199 / 1e5)]


def test_an_alert_comes_once_more_when_it_is_over(district: District) -> None:
    """So that a page can take it away."""
    alert_id = district.raise_alert("cy-08")
    feed = watch(district)
    mailbox = feed.join()
    mailbox.take()
    district.return_alert(alert_id)
    feed.poll()
    district.book.close(alert_id, "li", district.now_ms)
    feed.poll()
    states = [data["state"] for name, data in events(mailbox.take()) if name == "alert"]
    assert states == ["closed"]
    feed.poll()
    assert mailbox.take() == b""


def last_event(wire: bytes) -> str:
    """The id that an EventSource has after a piece of stream."""
    return re.findall(rb"^id: (.*)$", wire, re.MULTILINE)[-1].decode()


def test_who_comes_back_gets_what_has_changed_since(district: District) -> None:
    """Wherever it broke off, also within the first events; an alert that is over meanwhile too."""
    alert_id = district.raise_alert("cy-08")
    feed = watch(district)
    wire = feed.join().take()
    had = wire[: wire.index(b"\n\n", len(wire) // 2) + 2]
    district.ride(7, 36.305, 120.37)
    district.return_alert(alert_id)
    district.book.close(alert_id, "li", district.now_ms)
    feed.poll()
    district.now_ms += 3_600_000
    feed.poll()
    for broke_off in (had, wire):
        found = events(feed.join(last_event(broke_off)).take())
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
    run = last_event(feed.join().take()).partition("-")[0]
    found = events(feed.join(named and named.replace("{run}", run)).take())
    assert found[0] == ("whole", {})
    assert len(found) == 1 + 28 + 9 + 2


def test_what_is_long_over_is_forgotten() -> None:
    """Who was away for longer than the feed remembers gets everything."""
    state: dict[Thing, object] = {Thing("alert", str(n)): n for n in range(2_000)}
    feed = Feed(lambda: iter([state]))
    early = last_event(feed.join().take())
    state = {Thing("alert", "new"): 0}
    feed.poll()
    assert b"whole" not in feed.join(early).take()
    before = f"{early.partition('-')[0]}-1"
    assert feed.join(before).take().startswith(b"event: whole")


def test_hostile_text_cannot_end_a_frame() -> None:
    """A newline in a text is escaped by JSON, so no event can be forged inside another."""
    wire = feed_module.frame(Thing("bike", "x"), {"bike_id": "a\n\nevent: alert\ndata: {}"}, "0")
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


def test_a_mailbox_forgets_what_it_gave() -> None:
    """And is only filled by frames, not by polls that found nothing."""
    mailbox = Mailbox()
    mailbox.put({})
    assert not mailbox.filled.is_set()
    mailbox.put({Thing("bike", "a"): b"1", Thing("bike", "b"): b"2"})
    mailbox.put({Thing("bike", "a"): b"3"})
    assert mailbox.filled.is_set()
    assert mailbox.take() == b"23"
    assert mailbox.take() == b""
