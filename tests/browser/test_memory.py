"""A page that is open all day does not grow."""

from __future__ import annotations

import json
from typing import NamedTuple

from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import LAT, LNG
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

BIKES = 28
ROUNDS = 30
MAX_GROWTH_BYTES = 20_000
"""Some 12 bytes an update would be more."""

OWN = {"array", "bigint", "closure", "concatenated string", "number", "object", "regexp", "string"}
"""Of a heap snapshot: what scripts have made.

What else grows is the browser's, and bounded: code that it compiles again as it is used more often,
and its records of pictures, presses and requests, of which it keeps the last few hundred. That was
some 9 kB for each replay at first, of which the scripts held nothing.
"""


class Held(NamedTuple):
    """What a page holds after the garbage was collected."""

    own_bytes: int
    nodes: int
    listeners: int


def held(page: Page, client: CDPSession) -> Held:
    """The least of some measurements: what was just replaced may wait for its finalizer."""
    found = []
    for _ in range(2):
        client.send("HeapProfiler.collectGarbage")
        counts = client.send("Memory.getDOMCounters")
        found.append(Held(own_bytes(client), counts["nodes"], counts["jsEventListeners"]))
    return Held(*(min(values) for values in zip(*found, strict=True)))


def own_bytes(client: CDPSession) -> int:
    """What the page's scripts hold [bytes]."""
    chunks: list[str] = []

    def more(event: dict[str, str]) -> None:
        chunks.append(event["chunk"])

    client.on("HeapProfiler.addHeapSnapshotChunk", more)
    client.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    client.remove_listener("HeapProfiler.addHeapSnapshotChunk", more)
    snapshot = json.loads("".join(chunks))
    fields = snapshot["snapshot"]["meta"]["node_fields"]
    kinds = snapshot["snapshot"]["meta"]["node_types"][0]
    nodes, step = snapshot["nodes"], len(fields)
    sizes = nodes[fields.index("self_size") :: step]
    own = [kinds[kind] in OWN for kind in nodes[fields.index("type") :: step]]
    return sum(size for size, is_own in zip(sizes, own, strict=True) if is_own)


def push(page: Page, server: ConsoleServer, district: District, rounds: int, start: int) -> None:
    """All bikes move, turn and lose charge, `rounds` times, each seen by the page."""
    for number in range(start, start + rounds):

        def move(number: int = number) -> None:
            district.now_ms += 5000
            for bike in range(BIKES):
                district.ride(
                    bike,
                    LAT + (number % 40) / 4000,
                    LNG + bike / 1000 + number % 7 / 5000,
                    heading=(number * 31 + bike) % 360,
                    battery=100 - number % 60,
                )
            district.stand("cy-04", "due", covered_ratio=number % 100 / 100, due_in_s=number)
            server.feed.poll()

        server.do(move)
        expected = f"rotate({(number * 31 + BIKES - 1) % 360}deg)"
        page.wait_for_function(
            "turn => document.querySelector('.bike[data-bike=\"hello/bike-27\"] svg')"
            "?.style.transform === turn",
            arg=expected,
        )


def test_thousands_of_updates_leave_nothing_behind(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Heap, nodes and listeners are after 1,680 updates what they were after the first ones."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".zone-label")).to_have_count(9)
    page.locator('.leaflet-marker-icon[data-bike="hello/bike-01"]').click()
    page.mouse.move(1200, 700)  # a bike that passes under the pointer opens its tip
    client = page.context.new_cdp_session(page)
    push(page, server, district, ROUNDS, start=0)
    before = held(page, client)
    push(page, server, district, 2 * ROUNDS, start=ROUNDS)
    after = held(page, client)
    assert after.own_bytes - before.own_bytes < MAX_GROWTH_BYTES, (before, after)
    assert after.nodes <= before.nodes + 20, (before, after)
    assert after.listeners <= before.listeners, (before, after)


def test_replay_leaves_nothing_behind(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Looking at the past again and again leaves the page as it was after the first time."""
    for bike in range(BIKES):
        district.patrol(bike, "cy-04", at_ms=district.now_ms - 600_000, fixes=300)
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".zone-label")).to_have_count(9)
    client = page.context.new_cdp_session(page)

    def replay() -> None:
        page.keyboard.press("r")
        expect(page.locator("#zones-as-of")).to_contain_text("As it was")
        began = page.locator(".replay-slider").evaluate("slider => Number(slider.value)")
        page.keyboard.press(" ")
        page.wait_for_function(
            "at => Number(document.querySelector('.replay-slider').value) > at", arg=began
        )
        page.keyboard.press("Escape")
        expect(page.locator("#zones .zone-row")).to_have_count(9)

    for _ in range(3):
        replay()
    before = held(page, client)
    for _ in range(5):
        replay()
    after = held(page, client)
    assert after.own_bytes - before.own_bytes < MAX_GROWTH_BYTES, (before, after)
    assert after.nodes <= before.nodes + 60, (before, after)
    assert after.listeners <= before.listeners + 5, (before, after)
