// @ts-check
// The window of a zone: how far it is, and where it will end at the rate at which new cells come.
import { button, el } from "../page/dom.js";
import { live, read, words } from "../page/frame.js";
import { calendar, progress } from "./charts.js";
import { pointsOf } from "./list.js";
import { leftOfShift, readSpan } from "./orders.js";

const HOUR_MS = 3_600_000, STEP_MS = 900_000;
const HEIGHT = 195;

export class ZoneProgress {
  constructor(body) {
    Object.assign(this, { body, chart: el("div", "chart-frame"), says: el("p", "says") });
    body.append(this.chart, this.says);
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  show(changes) {
    Object.assign(this, changes);
    this.draw();
  }

  draw() {
    const { status, trend, policy } = this;
    const width = this.chart.clientWidth;
    if (!status || !width) return;
    if (!status.window_to) return void (this.says.textContent = words.say("zone.no_window"));
    const points = pointsOf(status, trend), now_ms = live.now();
    const [from_ms, to_ms] = [status.window_from, status.window_to].map(Date.parse);
    const then = status.cells_expected == null ? null : status.cells_expected / status.cells_total;
    const forecast = forecastOf(points.filter(({ ratio }) => ratio != null).at(-1), then, policy, now_ms, to_ms);
    const says = {
      target: words.say("zone.target", { target: words.percent(status.target) }),
      deadline: words.say("zone.deadline", { time: words.time(status.window_to) }),
      now: words.percent(status.covered_ratio),
      forecast: then == null ? "" : words.say("zone.then", { ratio: words.percent(then) }),
    };
    const sentence = sentenceOf(status, then, now_ms >= to_ms);
    this.says.textContent = sentence;
    this.chart.replaceChildren(progress({
      width, height: HEIGHT, from_ms, to_ms, now_ms, points, forecast, target: status.target, ticks: ticksOf(from_ms, to_ms, width),
      percent: (ratio) => words.percent(ratio), says, label: sentence,
    }));
  }
}

function sentenceOf(status, then, over) {
  const values = { ratio: words.percent(status.covered_ratio), target: words.percent(status.target), time: words.time(status.window_to), then: words.percent(then) };
  const reached = status.covered_ratio >= status.target;
  if (over) return words.say(reached ? "zone.says.reached_over" : "zone.says.short_over", values);
  if (reached) return words.say("zone.says.reached", values);
  if (then == null) return words.say("zone.says.early", values);
  return words.say(then >= status.target ? "zone.says.fine" : "zone.says.short", values);
}

// A line from now to what is expected at the window's end. How much that is the API says; here it is
// only spread over the duty time that is left: nothing is covered at night.
function forecastOf(last, then, policy, now_ms, to_ms) {
  if (then == null || !last || now_ms >= to_ms) return [];
  const spans = policy?.hours.map(readSpan), duty = (from_ms, until_ms) => (spans ? dutyMs(spans, policy.exceptions, from_ms, until_ms) : until_ms - from_ms);
  const left_ms = duty(now_ms, to_ms), line = [last];
  for (let at_ms = now_ms; left_ms && at_ms < to_ms; ) {
    at_ms = Math.min(at_ms + STEP_MS, to_ms);
    line.push({ at_ms, ratio: last.ratio + ((then - last.ratio) * duty(now_ms, at_ms)) / left_ms });
  }
  return [...line, { at_ms: to_ms, ratio: then }];
}

// Patrol hours less exceptions in [from_ms, to_ms), to the step.
function dutyMs(spans, exceptions, from_ms, to_ms) {
  let sum = 0;
  for (let at_ms = from_ms; at_ms < to_ms; at_ms += STEP_MS) {
    const off = exceptions.some((each) => at_ms >= Date.parse(each.from) && at_ms < Date.parse(each.to));
    if (!off && leftOfShift(spans, words.local(at_ms)) !== null) sum += Math.min(STEP_MS, to_ms - at_ms);
  }
  return sum;
}

// Whole hours, or days in a long window, as many as there is room for.
function ticksOf(from_ms, to_ms, width) {
  const room = Math.max(2, Math.floor(width / 62)), hours = (to_ms - from_ms) / HOUR_MS;
  const step = [1, 2, 3, 6, 12, 24, 48].find((each) => hours / each <= room) ?? 48;
  const ticks = [];
  for (let at_ms = Math.ceil(from_ms / HOUR_MS) * HOUR_MS; at_ms < to_ms - (HOUR_MS * step) / 2; at_ms += HOUR_MS) {
    const { date, minute } = words.local(at_ms), hour = Math.round(minute / 60);
    if (hour % Math.min(step, 24) === 0 && (step < 48 || Number(date.slice(8)) % 2)) {
      ticks.push({ at_ms, text: step >= 24 ? date.slice(5) : `${String(hour).padStart(2, "0")}:00` });
    }
  }
  return ticks;
}

// A month of a zone: how much of it was covered each day, and which days missed their target.

export class ZoneDays {
  constructor(body, zoneId) {
    Object.assign(this, { zoneId, title: el("b", "month"), frame: el("div", "chart-frame"), says: el("p", "says") });
    this.later = button("button", "›", () => this.go(1));
    const sooner = button("button", "‹", () => this.go(-1));
    sooner.title = words.say("zone.month.before");
    this.later.title = words.say("zone.month.after");
    this.says.setAttribute("role", "status");
    body.append(el("div", "month-head", sooner, this.title, this.later, el("span", "space"), legend()), this.frame, this.says);
  }

  async go(by) {
    const [year, month] = this.month.split("-").map(Number);
    this.month = new Date(Date.UTC(year, month - 1 + by)).toISOString().slice(0, 7);
    await this.load();
  }

  // Days change slowly: asked for again now and then, and when somebody turns the page.
  async load() {
    const today = words.local(live.now()).date;
    const month = (this.month ??= today.slice(0, 7)), last = lastOf(month);
    this.later.disabled = month >= today.slice(0, 7);
    this.title.textContent = new Intl.DateTimeFormat(words.config.lang === "zh" ? "zh-CN" : "en-GB", { year: "numeric", month: "long", timeZone: "UTC" }).format(new Date(`${month}-01`));
    const answer = await read(`/coverage/${encodeURIComponent(this.zoneId)}/days?from=${month}-01&to=${month}-${last}`).catch((error) => ({ error }));
    if (month !== this.month) return; // another was turned to meanwhile
    if (answer.error) return this.frame.replaceChildren(el("div", "empty", answer.error.message));
    const known = new Map(answer.days.map((day) => [day.date, day]));
    const drawn = JSON.stringify([month, today, answer.days]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const days = Array.from({ length: last }, (_, i) => dayOf(`${month}-${String(i + 1).padStart(2, "0")}`, known, today));
    const missed = days.filter((day) => day.mark === "missed").length, unknown = days.filter((day) => day.kind === "unknown").length;
    const label = words.say("zone.month", { month: this.title.textContent, missed, unknown });
    this.says.textContent = label;
    this.frame.replaceChildren(calendar({
      days, weekdays: Array.from({ length: 7 }, (_, i) => words.say(`day.${i}`)), percent: (ratio) => words.percent(ratio), label,
      onDay: (day) => (this.says.textContent = day.says),
    }));
  }
}

function lastOf(month) {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 0)).getUTCDate();
}

function dayOf(date, known, today) {
  const day = known.get(date), at = new Date(date);
  const kind = day ? "known" : date > today ? "ahead" : "unknown";
  return {
    date, kind, number: String(at.getUTCDate()), weekday: (at.getUTCDay() + 6) % 7,
    ratio: day?.covered_ratio, level: day && Math.min(4, Math.floor(day.covered_ratio * 5 + 1e-9)),
    mark: day?.reached === false ? "missed" : day?.reached ? "reached" : "",
    says: day ? saysOf(day) : words.say(`zone.day.${kind}`, { date }),
  };
}

function saysOf(day) {
  const facts = [
    words.say("zone.day", { date: day.date, ratio: words.percent(day.covered_ratio), target: words.percent(day.target), n: day.cells_covered, total: day.cells_total }),
    day.reached == null ? words.say(day.duty_s ? "zone.day.open" : "zone.day.free") : words.say(day.reached ? "zone.day.reached" : "zone.day.missed"),
  ];
  if (day.mean_idle_s != null) facts.push(words.say("zone.day.idle", { time: words.duration(day.mean_idle_s) }));
  return facts.join(" · ");
}

function legend() {
  const levels = Array.from({ length: 5 }, (_, level) => Object.assign(el("i", "swatch"), { title: `${level * 20}–${level * 20 + 20}%` }));
  levels.forEach((node, level) => (node.dataset.level = level));
  return el("span", "key", el("span", "item", "0%", ...levels, "100%"),
    el("span", "item missed", el("i", "mark", "▼"), words.say("zone.key.missed")), el("span", "item", el("i", "swatch hatched"), words.say("zone.key.unknown")));
}
