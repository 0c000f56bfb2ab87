// @ts-check
// One zone: the window's progress, the cells that are missing, its month, its policy, who is there.
import { AlertList, byUrgency, followAlerts, OPEN } from "../alerts/list.js";
import { bikeLink, keyOf, speedOf, visitorLink } from "../bikes/facts.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, excludedItem, excludedOn, styleOf } from "../map/base.js";
import { ageItems, CellImage, missingItem } from "../map/zones.js";
import { badge, button, el, fill, link, nothing } from "../page/dom.js";
import {
  asked, config, keys, live, read, repeat, setQuery, start, unread, words,
} from "../page/frame.js";
import { later } from "../page/live.js";
import { calendar, progress } from "./charts.js";
import { dueOf, idleOf, pointsOf, reasonOf } from "./list.js";
import { leftOfShift, OrderButtons, policySentences, readSpan } from "./orders.js";

const TREND_MS = 60_000, POLICY_MS = 60_000, DAYS_MS = 300_000, TODAY_MS = 120_000;
const RECENT = 20, PAGE = 100;

start(async (main) => {
  const zoneId = config.page.params.zone_id, route = encodeURIComponent(zoneId);
  /** @type {ZoneStatus} */ let status;
  try {
    status = await read(`/coverage/${route}`);
  } catch (error) {
    const way = link("", "/zones", words.say("page.zones"));
    return main.replaceChildren(nothing(error.message, zoneId, way));
  }
  words.zones.set(zoneId, status);
  const panel = (name, ...children) =>
    el("section", `panel part-${name}`, el("h2", "", words.say(`zone.${name}`)), ...children);
  const facts = el("span", "zone-facts");
  const orders = new OrderButtons(() => status, () => loadPolicy());
  const head = el("section", "panel zone-head", facts, orders.node);
  const window = panel("window"), cells = panel("cells"), days = panel("days");
  const policy = el("ul", "sentences"), alerts = el("div", "rows");
  const inside = el("ul", "bikes"), today = el("ul", "bikes");
  main.replaceChildren(head, el("div", "zone-parts",
    el("div", "zone-column", window, days), el("div", "zone-column", cells),
    el("div", "zone-column", panel("policy", policy), panel("alerts", alerts),
      panel("inside", inside), panel("today", today))));
  const progress = new ZoneProgress(window), map = new ZoneCells(cells, zoneId);
  const month = new ZoneMonth(days, zoneId);
  showInside(inside, zoneId);
  repeat(TODAY_MS, () => showToday(today, zoneId));
  keys.bind("Escape", "keys.back", () => history.back());
  function show(/** @type {ZoneStatus} */ newer) {
    status = newer;
    const { state, bikes_inside } = status;
    const fact = (key, node) => el("span", "fact", el("small", "", words.say(key)), node);
    const says = [words.say(`state.${state}`), reasonOf(status), zoneId].filter(Boolean);
    facts.replaceChildren(badge(state),
      el("span", "two", el("h1", "", words.zoneName(status)), el("small", "", says.join(" · "))),
      fact("zones.idle", idleOf(status)), fact("zones.due", dueOf(status)),
      fact("zones.head.bikes", el("b", "", String(bikes_inside ?? "–"))),
      fact("zones.head.visit", visitOf(status)));
    head.dataset.state = state;
    orders.show();
    progress.show({ status });
    map.update(status);
  }

  async function loadPolicy() {
    /** @type {ZonePolicy} */ const found = await read(`/zones/${route}/policy`);
    progress.show({ policy: found });
    const { paused, campaign: name, exceptions } = found;
    const item = (kind) => (text) => el("li", kind, text);
    const free = exceptions.map(({ summary, from, to }) => words.say("policy.exception",
      { what: summary, from: words.time(from), to: words.time(to) }));
    fill(policy, paused && item("ordered")(words.say("policy.paused", { why: paused })),
      name && item("ordered")(words.say("zones.campaign", { name })),
      policySentences(found).map(item("")), free.map(item("dim")));
  }
  // Open alerts as the stream tells them, then the newest closed ones.
  const shown = new AlertList(alerts, { empty: "zone.no_alerts" });
  /** @type {Alert[]} */ let open = [];
  /** @type {Alert[]} */ let past = [];
  const isOpen = ({ alert_id: id }) => open.some((each) => each.alert_id === id);
  const showAlerts = () => shown.show([...open, ...past.filter((each) => !isOpen(each))]);
  const loadAlerts = async () => {
    const answer = await read(`/alerts?zone_id=${route}&limit=${RECENT}`);
    past = answer.alerts.filter((alert) => !OPEN.has(alert.state));
    showAlerts();
  };
  followAlerts((all) => {
    open = all.filter((alert) => alert.zone_id === zoneId).sort(byUrgency);
    showAlerts();
  });
  live.on("coverage", (newer) => newer.zone_id === zoneId && show(newer));
  live.on("alert", ({ zone_id, state }) => {
    if (zone_id === zoneId && !OPEN.has(state)) loadAlerts().catch(unread);
  });
  live.on("open", () => loadAlerts().catch(unread));
  show(status);
  repeat(TREND_MS, async () => {
    const { zones } = await read("/coverage/trend");
    progress.show({ trend: zones.find((zone) => zone.zone_id === zoneId) });
  });
  repeat(POLICY_MS, loadPolicy);
  repeat(DAYS_MS, () => month.load());
});

function visitOf(/** @type {ZoneStatus} */ { last_visit_by: visit }) {
  if (!visit) return el("b", "", words.say("zones.never"));
  const ago = words.say("zones.ago", { age: words.since(visit.at) });
  return el("b", { title: words.time(visit.at) }, visitorLink(visit), " · ", ago);
}

function showInside(list, zoneId) {
  /** @type {Map<string, Bike>} */ const there = new Map();
  const draw = () => {
    const bikes = [...there].sort(([a], [b]) => a.localeCompare(b));
    fill(list, bikes.map(([, bike]) =>
      el("li", "", el("b", "", bikeLink(bike)), el("span", "dim", speedOf(bike)))),
    !bikes.length && el("li", "dim", words.say("zone.nobody")));
  };
  live.see({ zone: zoneId });
  live.on("view", () => {
    there.clear();
    later("zone-bikes", draw);
  });
  live.on("bike", (/** @type {Bike} */ bike) => {
    const key = keyOf(bike), before = there.has(key);
    if (bike.zone_id === zoneId && bike.liveness === "live") there.set(key, bike);
    else there.delete(key);
    if (before || there.has(key)) later("zone-bikes", draw);
  });
  draw();
}

/** Lists the bikes that were in a zone today, the longest first. */
async function showToday(list, zoneId) {
  const all = { limit: String(PAGE), date: words.local(live.now()).date };
  /** @type {DayFigures[]} */ const days = [];
  for (let cursor = ""; cursor !== null; ) {
    const query = new URLSearchParams({ ...all, ...(cursor && { cursor }) });
    const answer = await read(`/bikes/days?${query}`);
    days.push(...answer.days);
    cursor = answer.next_cursor ?? null;
  }
  const rows = days.flatMap((bike) => bike.zones.map((zone) => ({ ...zone, bike })))
    .filter(({ zone_id }) => zone_id === zoneId).sort((a, b) => b.time_s - a.time_s);
  fill(list, rows.map(({ bike, time_s, cells }) =>
    el("li", "", el("b", "", bikeLink(bike)), el("span", "", words.duration(time_s)),
      el("span", "dim", cells == null ? "" : words.say("zone.n_cells", { n: cells })))),
  !rows.length && el("li", "dim", words.say("zone.nobody_today")));
}

const EVERY_MS = 30_000;

/** Where nobody has been in this window; or, switched, how long ago each cell was visited. */
class ZoneCells {
  /** @type {ZoneStatus | null} */ status = null;
  /** @type {L.GeoJSON | null} */ shape = null;
  /** @type {Child} */ excludedKey = null;
  ages = el("input", { type: "checkbox" });
  says = el("span", "says");
  key = el("span", "key");
  wanted = "";

  constructor(/** @type {HTMLElement} */ body, /** @type {string} */ zoneId) {
    this.zoneId = zoneId;
    const frame = el("div", "zone-map");
    const ages = el("label", "switch", this.ages, words.say("zone.ages"));
    body.append(el("div", "cells-head", this.says, el("span", "space"), ages), frame, this.key);
    this.ages.addEventListener("change", () => this.refresh());
    this.map = baseMap(frame);
    this.showExcluded = excludedOn(this.map);
    this.image = new CellImage(this.map);
    new ResizeObserver(() => this.fit()).observe(frame);
    const outline = () => this.outline().catch(unread);
    live.on("open", outline).on("zones", outline);
    addEventListener("themechange", () => this.style());
    this.refresh();
    repeat(EVERY_MS, () => this.refresh());
  }

  /** The zone as it is now; it can be redrawn while the page is open. */
  async outline() {
    /** @type {Zones} */ const zones = await read("/zones?coverage=false");
    const { features, grid } = zones;
    const zone = features.find((feature) => feature.id === this.zoneId);
    if (!zone) return;
    this.showExcluded(zones);
    this.excludedKey = excludedItem(zones);
    this.shape?.remove();
    this.shape = L.geoJSON(zone, { interactive: false }).addTo(this.map);
    this.image.place(grid);
    this.style();
    this.fit();
    await this.refresh();
  }

  style() {
    this.shape?.setStyle({ ...styleOf(this.status?.state), fillOpacity: 0 });
  }

  fit() {
    this.map.invalidateSize();
    const room = { padding: L.point(18, 18), animate: false };
    if (this.shape) this.map.fitBounds(this.shape.getBounds(), room);
  }

  update(/** @type {ZoneStatus} */ status) {
    const before = this.status;
    this.status = status;
    this.says.textContent = cellsText(status);
    if (before?.state !== status.state) this.style();
    const isNew = before?.window_from !== status.window_from
      || before?.cells_covered !== status.cells_covered;
    if (isNew) this.refresh().catch(unread);
  }

  async refresh() {
    const ages = this.ages.checked, from = this.status?.window_from;
    fill(this.key, ages ? ageItems() : missingItem(), this.excludedKey);
    if (!this.image.overlay || !this.status) return;
    const query = new URLSearchParams({ zone_id: this.zoneId,
      ...(!ages && from && { missing_since: from }) });
    const wanted = (this.wanted = String(query));
    await this.image.load(query, "no-cache", () => wanted !== this.wanted);
  }
}

function cellsText(/** @type {ZoneStatus} */ { cells_covered, cells_total, window_from }) {
  const n = cells_total - cells_covered, time = window_from ? words.time(window_from) : "";
  return words.say(n ? "zone.cells_left" : "zone.cells_none", { n, total: cells_total, time });
}

const HOUR_MS = 3_600_000, STEP_MS = 900_000;
const HEIGHT = 195;
const UNHEARD = new Set(["telemetry_silent", "before_record"]); // nobody could tell

/** How far the window is, and where it will end at the rate at which new cells come. */
class ZoneProgress {
  /** @type {ZoneStatus | null} */ status = null;
  /** @type {Trend | undefined} */ trend = undefined;
  /** @type {ZonePolicy | undefined} */ policy = undefined;
  chart = el("div", "chart-frame");
  says = el("p", "says");

  constructor(/** @type {HTMLElement} */ body) {
    body.append(this.chart, this.says);
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  show(/** @type {{status?: ZoneStatus, trend?: Trend, policy?: ZonePolicy}} */ newer) {
    Object.assign(this, newer);
    this.draw();
  }

  draw() {
    const { status, trend, policy } = this, width = this.chart.clientWidth;
    if (!status || !width) return;
    const { window_from, window_to, cells_expected, cells_total, target } = status;
    if (!window_from || !window_to) {
      this.says.textContent = words.say("zone.no_window");
      return;
    }
    const points = pointsOf(status, trend), now_ms = live.now();
    const from_ms = Date.parse(window_from), to_ms = Date.parse(window_to);
    const then = cells_expected == null ? null : cells_expected / cells_total;
    const last = points.findLast(({ ratio }) => ratio != null);
    const says = {
      target: words.say("zone.target", { target: words.percent(target) }),
      deadline: words.say("zone.deadline", { time: words.time(window_to) }),
      now: words.percent(status.covered_ratio),
      forecast: then == null ? "" : words.say("zone.then", { ratio: words.percent(then) }),
    };
    const label = sentenceOf(status, then, now_ms >= to_ms);
    this.says.textContent = label;
    this.chart.replaceChildren(progress({
      width, height: HEIGHT, from_ms, to_ms, now_ms, points, target, says, label,
      forecast: forecastOf(last, then, policy, now_ms, to_ms),
      ticks: ticksOf(from_ms, to_ms, width),
    }));
  }
}

/** @param {ZoneStatus} status @param {number | null} then @param {boolean} over */
function sentenceOf({ covered_ratio, target, window_to }, then, over) {
  const values = { ratio: words.percent(covered_ratio), target: words.percent(target),
    time: words.time(window_to), then: words.percent(then) };
  const how = covered_ratio >= target ? (over ? "reached_over" : "reached")
    : over ? "short_over" : then == null ? "early" : then >= target ? "fine" : "short";
  return words.say(`zone.says.${how}`, values);
}

/** A line from now to what is expected at the window's end. How much that is the API says; here it
 * is only spread over the duty time that is left: nothing is covered at night. */
function forecastOf(last, then, policy, now_ms, to_ms) {
  if (then == null || !last || now_ms >= to_ms) return [];
  const left_ms = dutyMs(policy, now_ms, to_ms), line = [last];
  for (let at_ms = now_ms; left_ms && at_ms < to_ms; ) {
    at_ms = Math.min(at_ms + STEP_MS, to_ms);
    const share = dutyMs(policy, now_ms, at_ms) / left_ms;
    line.push({ at_ms, ratio: last.ratio + (then - last.ratio) * share });
  }
  return [...line, { at_ms: to_ms, ratio: then }];
}

/** Patrol hours less exceptions in [from_ms, to_ms), to the step; all of it without a policy. */
function dutyMs(/** @type {ZonePolicy | undefined} */ policy, from_ms, to_ms) {
  if (!policy) return to_ms - from_ms;
  const spans = policy.hours.map(readSpan);
  const free = policy.exceptions.map(({ from, to }) => [Date.parse(from), Date.parse(to)]);
  let sum = 0;
  for (let at_ms = from_ms; at_ms < to_ms; at_ms += STEP_MS) {
    const off = free.some(([from, to]) => at_ms >= from && at_ms < to)
      || leftOfShift(spans, words.local(at_ms)) === null;
    if (!off) sum += Math.min(STEP_MS, to_ms - at_ms);
  }
  return sum;
}

/** Whole hours, or days in a long window, as many as there is room for. */
function ticksOf(from_ms, to_ms, width) {
  const room = Math.max(2, Math.floor(width / 62)), hours = (to_ms - from_ms) / HOUR_MS;
  const step = [1, 2, 3, 6, 12, 24, 48].find((each) => hours / each <= room) ?? 48;
  const first_ms = Math.ceil(from_ms / HOUR_MS) * HOUR_MS, end_ms = to_ms - (HOUR_MS * step) / 2;
  const ticks = [];
  for (let at_ms = first_ms; at_ms < end_ms; at_ms += HOUR_MS) {
    const { date, minute } = words.local(at_ms), hour = Math.round(minute / 60);
    if (hour % Math.min(step, 24) || (step === 48 && Number(date.slice(8)) % 2 === 0)) continue;
    const text = step >= 24 ? date.slice(5) : `${String(hour).padStart(2, "0")}:00`;
    ticks.push({ at_ms, text });
  }
  return ticks;
}

/** A month of a zone: how much of it was covered each day, and which days missed their target. */
class ZoneMonth {
  title = el("b", "month");
  frame = el("div", "chart-frame");
  says = el("p", { className: "says", role: "status" });
  month = asked("month", /^\d{4}-\d\d$/) ?? "";
  drawn = "";

  constructor(/** @type {HTMLElement} */ body, /** @type {string} */ zoneId) {
    this.zoneId = zoneId;
    const turn = (sign, by, key) =>
      button({ className: "button", title: words.say(key) }, sign, () => this.go(by));
    this.later = turn("›", 1, "zone.month.after");
    body.append(el("div", "month-head", turn("‹", -1, "zone.month.before"), this.title, this.later,
      el("span", "space"), legend()), this.frame, this.says);
  }

  async go(by) {
    const [year, month] = this.month.split("-").map(Number);
    this.month = new Date(Date.UTC(year, month - 1 + by)).toISOString().slice(0, 7);
    setQuery({ month: this.month });
    await this.load();
  }

  /** Days change slowly: asked for again now and then, and when somebody turns the page. */
  async load() {
    const today = words.local(live.now()).date, month = (this.month ||= today.slice(0, 7));
    const [year, number] = month.split("-").map(Number);
    const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
    this.later.disabled = month >= today.slice(0, 7);
    const title = new Intl.DateTimeFormat(words.locale,
      { year: "numeric", month: "long", timeZone: "UTC" }).format(new Date(`${month}-01`));
    this.title.textContent = title;
    const span = `from=${month}-01&to=${month}-${length}`;
    const answer = await read(`/coverage/${encodeURIComponent(this.zoneId)}/days?${span}`)
      .catch((error) => ({ error }));
    if (month !== this.month) return; // another was turned to meanwhile
    if (answer.error) return this.frame.replaceChildren(el("div", "empty", answer.error.message));
    const drawn = JSON.stringify([month, today, answer.days]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const known = new Map(answer.days.map((day) => [day.date, day]));
    const days = Array.from({ length },
      (_, i) => dayOf(`${month}-${String(i + 1).padStart(2, "0")}`, known, today));
    const count = (is) => days.filter(is).length;
    const label = words.say("zone.month", { month: title,
      missed: count((day) => day.mark === "missed"),
      unknown: count((day) => day.kind === "unknown") });
    this.says.textContent = label;
    this.frame.replaceChildren(
      calendar({ days, label, onDay: (day) => (this.says.textContent = day.says) }));
  }
}

/** A day of the calendar; without telemetry it is unknown, never missed. @returns {CalendarDay} */
function dayOf(date, known, today) {
  /** @type {ZoneDay | undefined} */ const day = known.get(date);
  const kind = day && !UNHEARD.has(day.reason) ? "known" : date > today ? "ahead" : "unknown";
  const at = new Date(date), level = day && Math.min(4, Math.floor(day.covered_ratio * 5 + 1e-9));
  return {
    date, kind, number: String(at.getUTCDate()), weekday: (at.getUTCDay() + 6) % 7,
    ratio: day?.covered_ratio, level,
    says: day ? saysOf(day) : words.say(`zone.day.${kind}`, { date }),
    mark: { short: "missed", reached: "reached" }[day?.verdict ?? ""] ?? "",
  };
}

/** @param {ZoneDay} day */
function saysOf({ date, covered_ratio, target, cells_covered: n, cells_total: total, ...day }) {
  const { verdict, reason, duty_s, mean_idle_s } = day, open = duty_s ? "open" : "free";
  const how = { reached: "reached", short: "missed" }[verdict] ?? open;
  return [
    words.say("zone.day",
      { date, ratio: words.percent(covered_ratio), target: words.percent(target), n, total }),
    UNHEARD.has(reason) ? words.say(`reason.${reason}`) : words.say(`zone.day.${how}`),
    mean_idle_s == null ? "" : words.say("zone.day.idle", { time: words.duration(mean_idle_s) }),
  ].filter(Boolean).join(" · ");
}

function legend() {
  const levels = [0, 1, 2, 3, 4].map((level) => el("i",
    { className: "swatch", title: `${level * 20}–${level * 20 + 20}%`, data: { level } }));
  return el("span", "key", el("span", "item", "0%", levels, "100%"),
    el("span", "item missed", el("i", "mark", "▼"), words.say("zone.key.missed")),
    el("span", "item", el("i", "swatch hatched"), words.say("zone.key.unknown")));
}
