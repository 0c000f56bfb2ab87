// The window of a zone: how far it is, and where it will end at the rate at which new cells come.
import { progress } from "./charts.js";
import { live, words } from "./frame.js";
import { leftOfShift, readSpan } from "./hours.js";
import { el } from "./page.js";
import { pointsOf } from "./zonelist.js";

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
