// @ts-check
// A zone over time: its window so far and where that will end, and its month by days.
import { button, el } from "../page/dom.js";
import { live, read, words } from "../page/frame.js";
import { calendar, progress } from "./charts.js";
import { pointsOf } from "./list.js";
import { leftOfShift, readSpan } from "./orders.js";

const HOUR_MS = 3_600_000, STEP_MS = 900_000;
const HEIGHT = 195;
const UNHEARD = new Set(["telemetry_silent", "before_record"]); // nobody could tell

/** How far the window is, and where it will end at the rate at which new cells come. */
export class ZoneProgress {
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
export class ZoneMonth {
  title = el("b", "month");
  frame = el("div", "chart-frame");
  says = el("p", { className: "says", role: "status" });
  month = "";
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

/** A day of the calendar; a day without telemetry is unknown, never missed. @returns {CalendarDay}
 */
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
