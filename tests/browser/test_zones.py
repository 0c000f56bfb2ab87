"""The table of zones and the page of one, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.access.access import Access
from geofence.runs import Visits
from tests.browser.conftest import watch
from tests.browser.console import ConsoleServer, in_module, sign_in
from tests.dashboards.access.people import PASSWORD, Clock, boss, new_access
from tests.dashboards.district import NINE_MS, District

HOSTILE = "<img src=x onerror=window.hacked=1>"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def rows(page: Page) -> list[str]:
    """Ids of the zones in the order shown."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.rows > .zone-line')].map((row) => row.dataset.zone)"
    )
    return found


def test_the_table_follows_the_stream(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Urgent zones first; figures, who was there and open alerts come without a reload."""
    page.goto(f"{server.url}/zones?lang=en")
    expect(page.locator(".rows > .zone-line")).to_have_count(9)
    server.do(
        lambda: district.stand("cy-06", "overdue", idle_s=9000.0, covered_ratio=0.799, due_in_s=-1)
    )
    first = page.locator(".rows > .zone-line").first
    expect(first).to_contain_text("East New Town")
    expect(first.locator(".badge")).to_have_text("!")
    expect(first.locator(".col-state")).to_contain_text("overdue")
    expect(first.locator(".col-covered")).to_contain_text("79% / 80%")
    expect(first.locator(".col-due")).to_contain_text("+30 min")
    expect(first.locator(".col-alerts")).to_have_text("–")
    server.do(lambda: district.raise_alert("cy-06"))
    expect(first.locator(".col-alerts")).to_have_text("1")
    inside = page.locator('.rows > [data-zone="cy-04"]')
    expect(inside.locator(".col-bikes")).to_have_text(re.compile("[1-5]"))
    expect(inside.locator(".col-visit")).to_contain_text("bike-0")
    expect(inside.locator(".sparkline")).to_have_attribute(
        "aria-label", re.compile("0% covered, target 80%")
    )


def test_a_campaign_and_a_pause_are_named(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """What people wrote as the reason or the name is shown as the characters it is made of."""
    page.goto(f"{server.url}/zones?lang=en")

    def order() -> None:
        until_ms = district.now_ms + HOUR_MS
        district.stand("cy-01", "paused", detail=HOSTILE, paused_until_ms=until_ms)
        district.stand("cy-02", "compliant", campaign=HOSTILE)

    server.do(order)
    paused = page.locator('.rows > [data-zone="cy-01"] .col-state')
    expect(paused).to_contain_text(f"until Sun 23 Nov, 10:00 · {HOSTILE}")
    campaign = page.locator('.rows > [data-zone="cy-02"] .col-state')
    expect(campaign).to_contain_text(f"campaign: {HOSTILE}")
    assert page.locator("img[onerror]").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_column_sorts_and_urgency_comes_back(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """A press on a head sorts by it, a second one the other way round."""
    for n in range(1, 10):
        district.stand(f"cy-{n:02}", "compliant", idle_s=600.0 + 60 * n, due_in_s=100.0 * n)
    page.goto(f"{server.url}/zones?lang=en")
    expect(page.locator(".rows > .zone-line")).to_have_count(9)
    ascending = [f"cy-{n:02}" for n in range(1, 10)]
    expect(page.get_by_role("columnheader", name="State")).to_have_attribute(
        "aria-sort", "ascending"
    )
    first = "() => document.querySelector('.rows > .zone-line').dataset.zone"
    page.wait_for_function(f"{first} === 'cy-01'")
    idle = page.get_by_role("button", name="Idle")
    idle.click()
    page.wait_for_function(f"{first} === 'cy-09'")
    assert rows(page) == ascending[::-1]
    idle.click()
    page.wait_for_function(f"{first} === 'cy-01'")
    assert rows(page) == ascending


def test_keys_choose_and_open_a_zone(page: Page, server: ConsoleServer) -> None:
    """J, K and Enter as in the list of alerts; the desk leads to the page as well."""
    page.goto(f"{server.url}/zones?lang=en")
    expect(page.locator(".rows > .zone-line")).to_have_count(9)
    for key in "jjk":
        page.keyboard.press(key)
    chosen = page.locator('.rows > .zone-line[aria-selected="true"]')
    expect(chosen).to_have_count(1)
    assert chosen.get_attribute("data-zone") == rows(page)[0]
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/zones/cy-*")
    page.goto(f"{server.url}/?lang=en")
    page.get_by_role("link", name="Zone: South Market").click()
    page.wait_for_url(f"{server.url}/zones/cy-08")
    page.goto(f"{server.url}/?lang=en")
    page.locator(".zone-label").get_by_role("link", name="South Market").click()
    page.wait_for_url(f"{server.url}/zones/cy-08")


def test_two_hundred_zones_cost_what_has_changed(page: Page, server: ConsoleServer) -> None:
    """A second event about the same zones draws nothing again but what it says anew."""
    # The page reads the zones again when its stream opens: those that are not there go. What the
    # server says of the other nine meanwhile, and the trends that the page reads, do not count.
    zones = page.request.get(f"{server.url}/api/v1/zones").json()
    zones["features"] += [zones["features"][0] | {"id": f"z-{n}"} for n in range(200)]
    page.route("**/api/v1/zones?*", lambda route: route.fulfill(json=zones))
    page.goto(f"{server.url}/zones?lang=en")
    expect(page.locator(".rows > .zone-line")).to_have_count(9)
    drawn = in_module(
        page,
        "page/frame.js",
        """async ({ live, words }) => {
          const body = document.querySelector(".rows");
          const like = { ...words.zones.get("cy-01"), last_visit_by: null }; // its age would change
          const ours = ({ target }) => target.closest('[data-zone^="z-"]');
          const tell = async (idle_s) => {
            let changes = 0;
            const seen = new MutationObserver((found) => (changes += found.filter(ours).length));
            seen.observe(body, { childList: true, subtree: true });
            for (let n = 0; n < 200; n++) {
              const name = `Zone ${n}`;
              live.emit("coverage", { ...like, zone_id: `z-${n}`, name, idle_s: idle_s + n });
            }
            await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
            seen.disconnect();
            return changes;
          };
          await tell(60);
          return [body.children.length, await tell(60), await tell(9000)];
        }""",
    )
    page.unroute_all(behavior="ignoreErrors")
    shown, same, changed = drawn
    assert shown == 209
    assert same == 0
    assert 200 <= changed < 3 * 200, "a cell or two of each row, not all nine"


def month_of(district: District) -> None:
    """A bike is heard from the 10th on, and patrols on two days, on the 20th enough."""
    district.known_from_ms = NINE_MS - 13 * DAY_MS
    cells = district.zones.cells("cy-04")
    heard_ms = np.arange(district.known_from_ms, NINE_MS, HOUR_MS // 2)
    district.ledger.hear(np.zeros(heard_ms.size, np.int32), heard_ms)
    for day, share in ((20, 0.9), (21, 0.1)):
        for hour in (8.5, 14.0):
            seen = cells[: round(share * len(cells))]
            at_ms = int(NINE_MS - (23 - day) * DAY_MS + (hour - 9) * HOUR_MS)
            times = np.full(len(seen), at_ms, np.int64)
            bike, observed = np.zeros(len(seen), np.int32), np.ones(len(seen), bool)
            district.ledger.add(Visits(bike, seen, times, observed, times, times))


def test_a_month_says_what_was_missed_and_what_is_not_known(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """A missed day has a mark, an unknown one is hatched and shows no figure; months turn."""
    server.do(lambda: month_of(district))
    page.goto(f"{server.url}/zones/cy-04?lang=en")
    good, bad = page.locator('[data-date="2025-11-20"]'), page.locator('[data-date="2025-11-21"]')
    expect(good).to_have_class(re.compile("known reached"))
    expect(bad).to_have_class(re.compile("known missed"))
    expect(bad.locator(".mark")).to_have_count(1)
    expect(bad).to_have_attribute(
        "aria-label", re.compile(r"2025-11-21: \d+% covered .*short of target")
    )
    unknown = page.locator('[data-date="2025-11-05"]')
    expect(unknown).to_have_class(re.compile("unknown"))
    expect(unknown.locator(".ratio")).to_have_count(0)
    unknown.hover()
    expect(page.locator(".part-days .says")).to_have_text("2025-11-05: unknown")
    good.hover()
    expect(page.locator(".part-days .says")).to_contain_text("without a visit on average")
    page.get_by_title("The month before").click()
    expect(page.locator(".month")).to_have_text("October 2025")
    expect(page.locator('[data-date="2025-10-31"]')).to_have_class(re.compile("unknown"))
    page.get_by_title("The month after").click()
    expect(bad).to_be_visible()
    page.goto(f"{server.url}/zones/cy-04?lang=zh")
    expect(bad).to_have_attribute("aria-label", re.compile("未达标"))
    expect(unknown).to_have_attribute("aria-label", "2025-11-05：无法判定")


def test_the_policy_in_both_languages(page: Page, server: ConsoleServer) -> None:
    """What the sample configuration asks of the old town, as sentences."""
    page.goto(f"{server.url}/zones/cy-04?lang=en")
    policy = page.locator(".part-policy")
    expect(policy).to_contain_text(
        "Patrolled at least every 30 min during Mon–Sun 08:00–12:00, 13:30–18:00."
    )
    expect(policy).to_contain_text("50% of its cells by the end of each shift.")
    expect(policy).to_contain_text("Look-back: patrolled again within 2 h")
    page.goto(f"{server.url}/zones/cy-04?lang=zh")
    expect(policy).to_contain_text("每日 08:00–12:00、13:30–18:00，至少每30分钟巡查一次。")
    expect(policy).to_contain_text("每班结束前覆盖 50% 的网格。")


def test_what_is_missing_is_a_picture_and_a_number(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Cells not visited in the window, or by their ages; the chart says the same in words."""
    district.stand("cy-04", "compliant", cells_covered=40, covered_ratio=0.1)
    page.goto(f"{server.url}/zones/cy-04?lang=en")
    total = district.statuses["cy-04"].cells_total
    cells = page.locator(".part-cells")
    expect(cells).to_contain_text(f"{total - 40} of {total} cells not visited since")
    picture = cells.locator("img.cells")
    expect(picture).to_have_count(1)
    before = picture.get_attribute("src")
    cells.get_by_label("show ages instead").check()
    page.wait_for_function("src => document.querySelector('img.cells').src !== src", arg=before)
    expect(cells.locator(".key")).to_contain_text("≤ 30 min")
    expect(page.locator(".progress")).to_have_attribute("aria-label", re.compile("^10% covered"))


def test_the_forecast_shown_is_the_one_that_is_judged_by(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """The page says what the API expects, falls short when that does, and else says nothing."""
    total = district.statuses["cy-04"].cells_total
    page.goto(f"{server.url}/zones/cy-04?lang=en")
    chart, says = page.locator(".progress"), page.locator(".part-window .says")
    expect(says).to_contain_text("too early to say more")
    expect(chart.locator(".then")).to_have_count(0)
    for share, said in ((0.5, "only 50%"), (0.9, "90%")):
        expected = math.ceil(share * total)
        server.do(lambda cells=expected: district.stand("cy-04", "compliant", cells_expected=cells))
        expect(says).to_contain_text(f"at this rate {said}")
        expect(chart.locator(".forecast-text")).to_have_text(re.compile(f"{share:.0%}"))
    bend = chart.locator("path.forecast").get_attribute("d")
    assert bend is not None
    assert bend.count("L") > 4  # along the duty that is left


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """Ada manages, Dan dispatches, Vera looks."""
    access = new_access(tmp_path / "access.sqlite", Clock())
    for name, role in (("ada", "admin"), ("dan", "dispatcher"), ("vera", "viewer")):
        access.add_user(boss(access), name, role, PASSWORD)
    yield access
    access.close()


@pytest.fixture
def visitor(chromium: Browser, guarded: ConsoleServer) -> Iterator[Page]:
    """A page of somebody who has not signed in; its scripts must not fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    page = context.new_page()
    complaints, _ = watch(page, guarded.url)
    yield page
    context.close()
    # What the API refuses, the browser reports as well.
    assert [said for said in complaints if "Failed to load resource" not in said] == []


def come(page: Page, server: ConsoleServer, name: str, path: str) -> None:
    """Come to a page by the door."""
    page.goto(f"{server.url}{path}")
    sign_in(page, name)
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")


def test_a_dispatcher_pauses_a_zone(
    visitor: Page, guarded: ConsoleServer, district: District
) -> None:
    """Reason and end are required; the order is on record with who gave it, and can be ended."""
    come(visitor, guarded, "dan", "/zones/cy-04?lang=en")
    expect(visitor.get_by_role("button", name="Pause")).to_be_visible()
    visitor.keyboard.press("p")
    form = visitor.locator("dialog.ask")
    until = form.get_by_label("Until")
    expect(until.locator("option")).to_have_text(
        [
            "in 1 h (10:00)",
            "the end of the shift (12:00)",
            "tomorrow's first shift (11-24 08:00)",
            "a time of your choice",
        ]
    )
    form.get_by_role("button", name="Pause").click()
    expect(form, "a reason is required").to_be_visible()
    form.get_by_label("Reason").fill(HOSTILE)
    until.select_option("")
    form.get_by_label("in the district's time").fill("2025-11-23T08:30")
    form.get_by_role("button", name="Pause").click()
    expect(
        form.locator("label", has_text="in the district's time").locator(".problem")
    ).not_to_be_empty()
    until.select_option(label="the end of the shift (12:00)")
    form.get_by_role("button", name="Pause").click()
    expect(form).to_have_count(0)
    [order] = guarded.do(district.orders.all)
    assert (order.kind, order.zones, order.ordered_by) == ("pause", ("cy-04",), "dan")
    assert order.reason == HOSTILE
    assert order.to_ms == NINE_MS + 3 * HOUR_MS
    expect(visitor.locator(".part-policy")).to_contain_text(f"Patrols are paused: {HOSTILE}")
    visitor.goto(f"{guarded.url}/zones?lang=en&show=campaigns")
    row = visitor.locator(f'[data-campaign="{order.name}"]')
    expect(row).to_contain_text("ordered by dan")
    expect(row).to_contain_text(HOSTILE)
    expect(row.get_by_role("link")).to_have_text("Old Town Centre")
    row.get_by_role("button", name="End").click()
    form.get_by_role("button", name="End").click()
    expect(visitor.locator(".over .campaign")).to_contain_text("ended by dan")
    assert visitor.locator("img[onerror]").count() == 0
    assert visitor.evaluate("window.hacked") is None


def test_a_campaign_is_started_from_the_table(
    visitor: Page, guarded: ConsoleServer, district: District
) -> None:
    """What the API refuses is said at the field it is about; the form stays as it was filled."""
    come(visitor, guarded, "dan", "/zones?lang=en")
    visitor.locator('.rows > [data-zone="cy-04"] .col-idle').click()
    visitor.keyboard.press("o")
    form = visitor.locator("dialog.ask")
    expect(form.get_by_label("Old Town Centre")).to_be_checked()
    form.get_by_label("South Market").check()
    form.get_by_label("Name").fill(HOSTILE)
    form.get_by_label("To, in").fill("2025-11-30T18:00")
    form.get_by_label("At least every").fill("often")
    form.get_by_label("Target (%)").fill("60")
    changes = form.locator(".preview li", has_text="Old Town Centre")
    expect(changes).to_contain_text("every 30 min → often · target 50% → 60% · judged by")
    go = form.get_by_role("button", name="Start a campaign")
    go.click()
    problem = form.locator("label", has_text="At least every").locator(".problem")
    expect(problem).to_contain_text("is not a duration")
    form.get_by_label("At least every").fill("20m")
    go.click()
    expect(form).to_have_count(0)
    row = visitor.locator(".in_force .campaign")
    expect(row).to_contain_text(HOSTILE)
    expect(row).to_contain_text("every 20m · target 60%")
    [order] = guarded.do(district.orders.all)
    assert (set(order.zones), order.ordered_by) == ({"cy-04", "cy-08"}, "dan")
    visitor.goto(f"{guarded.url}/zones/cy-04?lang=en")
    policy = visitor.locator(".part-policy")
    expect(policy).to_contain_text("Patrolled at least every 20 min")
    expect(policy).to_contain_text(f"campaign: {HOSTILE}")
    assert visitor.locator("img[onerror]").count() == 0


def test_a_viewer_has_no_button(visitor: Page, guarded: ConsoleServer, district: District) -> None:
    """Neither on the pages nor by a key; the API refuses as well. A wrong address says so."""
    come(visitor, guarded, "vera", "/zones/cy-04?lang=en")
    expect(visitor.locator(".part-policy")).to_contain_text("Patrolled at least")
    for path in ("/zones/cy-04?lang=en", "/zones?lang=en"):
        visitor.goto(f"{guarded.url}{path}")
        expect(visitor.locator("#main")).to_contain_text("Old Town Centre")
        expect(visitor.locator("#main .buttons button")).to_have_count(0)
        visitor.keyboard.press("p")
        expect(visitor.locator("dialog")).to_have_count(0)
    refused = in_module(
        visitor,
        "page/session.js",
        """async ({ ask }) => {
          const body = { reason: "x", until: "2025-11-23T12:00" };
          const answer = await ask("/api/v1/zones/cy-04/pause", { body });
          return [answer.status, (await answer.json()).reason];
        }""",
    )
    assert refused == [403, "role_too_low"]
    assert guarded.do(district.orders.all) == []
    visitor.goto(f"{guarded.url}/zones/nowhere?lang=en")
    expect(visitor.locator("#main")).to_contain_text("there is no such zone")


def test_texts_of_a_chart_never_overprint(page: Page, server: ConsoleServer) -> None:
    """Whatever the target, the ratio so far and the forecast are, and however narrow it is."""
    page.goto(f"{server.url}/zones/cy-04?lang=zh")
    expect(page.locator(".part-window svg")).to_be_visible()
    bad = in_module(
        page,
        "zones/charts.js",
        """({ progress }) => {
          const body = document.querySelector(".part-window .chart-frame");
          const hour = 3_600_000, bad = [], shares = [0, 0.05, 0.4, 0.7, 0.72, 0.95, 1];
          const says = (ratio, then, target) => ({ target: `目标 ${target * 100}%`,
            deadline: "截至 11月29日周日 00:00", now: `${ratio * 100}%`,
            forecast: `预计 ${then * 100}%` });
          for (const width of [260, 330, 620]) for (const at of [0.02, 0.5, 0.97])
            for (const ratio of shares) for (const target of shares.slice(1)) for (const then of
              shares.filter((each) => each >= ratio)) {
              const now_ms = at * 24 * hour, now = { at_ms: now_ms, ratio };
              const chart = progress({ width, height: 195, from_ms: 0, to_ms: 24 * hour, now_ms,
                points: [{ at_ms: 0, ratio: 0 }, now], target, says: says(ratio, then, target),
                forecast: [now, { at_ms: 24 * hour, ratio: then }], label: "",
                ticks: [0, 6, 12, 18].map((h) => ({ at_ms: h * hour, text: `${h}:00` })) });
              chart.style.width = `${width}px`;
              body.replaceChildren(chart);
              const all = [...chart.querySelectorAll("text")].map((text) => [text, text.getBBox()]);
              all.forEach(([one, a], i) => all.slice(i + 1).forEach(([other, b]) => {
                if (a.x < b.x + b.width && b.x < a.x + a.width && a.y + 2 < b.y + b.height - 2
                  && b.y + 2 < a.y + a.height - 2) {
                  bad.push([one.textContent, other.textContent, width, at, ratio, target, then]);
                }
              }));
            }
          return bad;
        }""",
    )
    assert bad == []
