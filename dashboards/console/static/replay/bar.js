// @ts-check
// What a replay is steered with: banner, spans, time slider with marks, play, speed.
import { say } from "../map/bikes.js";
import { askFor, toast } from "../page/dialog.js";
import { button, el } from "../page/dom.js";
import { config, words } from "../page/frame.js";
import { fromLocal, toLocal } from "../page/words.js";

export const SPEEDS = [10, 30, 60, 120, 300, 600];

export class ReplayBar {
  // `banner` and `bar` are filled; `acts` are called by name with what was chosen.
  constructor(banner, bar, acts) {
    Object.assign(this, { banner, bar, acts });
    this.instant = new Text();
    this.note = el("span", "replay-note");
    banner.append(el("b", "", words.say("replay.banner")), el("time", "", this.instant), this.note, button("button main", words.say("replay.leave"), acts.leave, "Esc"));
    this.spans = el("span", "replay-spans");
    this.span = el("span", "dim");
    this.slider = Object.assign(el("input", "replay-slider"), { type: "range", step: 1000 });
    this.slider.setAttribute("aria-label", words.say("replay.slider"));
    this.slider.addEventListener("input", () => acts.seek(Number(this.slider.value)));
    this.marks = el("div", "replay-marks");
    this.hours = el("div", "replay-hours");
    this.play = button("button main play", "▶", acts.play);
    this.speed = new Text();
    const step = (sign, name, act) => Object.assign(button("button", sign, act), { title: words.say(name), ariaLabel: words.say(name) });
    bar.append(
      el("div", "replay-line", this.spans, this.span),
      el("div", "replay-line",
        step("⇤", "replay.previous_mark", () => acts.mark(-1)), step("‹", "replay.back", () => acts.step(-1)), this.play,
        step("›", "replay.forward", () => acts.step(1)), step("⇥", "replay.next_mark", () => acts.mark(1)),
        el("div", "replay-time", this.marks, this.slider, this.hours),
        step("−", "replay.slower", () => acts.faster(-1)), el("span", "replay-speed", this.speed), step("+", "replay.faster", () => acts.faster(1))),
    );
  }

  open(spans, { from, to }, chosen) {
    this.banner.hidden = this.bar.hidden = false;
    this.spans.replaceChildren(...[...Object.keys(spans), "custom"].map((name) => {
      const press = button("button", words.say(`replay.${name}`), () => this.acts.choose(name));
      press.setAttribute("aria-pressed", name === chosen);
      return press;
    }));
    this.span.textContent = `${words.time(from)} – ${words.time(to)}`;
    Object.assign(this.slider, { min: from, max: to });
    this.hours.replaceChildren(...ticks(from, to).map(({ at, text }) => at_(el("span", "", text), at, from, to)));
    this.showMarks([]);
  }

  close() {
    this.banner.hidden = this.bar.hidden = true;
  }

  // Moments {at, text, kind} under the slider; one is pressed to go there.
  showMarks(marks) {
    const { min, max } = this.slider;
    this.marks.replaceChildren(...marks.map(({ at, text, kind }) => {
      const mark = button(`replay-mark ${kind}`, "", () => this.acts.seek(at));
      mark.title = mark.ariaLabel = `${words.exact(at)} ${text}`;
      mark.tabIndex = -1; // there are keys for going from one to the next
      return at_(mark, at, Number(min), Number(max));
    }));
  }

  show({ at, playing, speed }) {
    const instant = words.exact(at);
    say(this.instant, instant);
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", instant);
    const sign = playing ? "❚❚" : "▶";
    if (this.play.firstChild.data !== sign) {
      this.play.firstChild.data = sign;
      this.play.title = this.play.ariaLabel = words.say(playing ? "replay.pause" : "replay.play");
    }
    say(this.speed, `×${speed}`);
  }

  // What cannot be shown, beside the instant.
  tell(text) {
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

// Full hours of the district, as many as there is room for.
function ticks(from, to) {
  const step_ms = [10, 30, 60, 120, 240].map((minutes) => minutes * 60_000).find((step) => (to - from) / step <= 8);
  const midnight = fromLocal(toLocal(from, config.timezone).slice(0, 10), config.timezone);
  const found = [];
  for (let at = midnight + Math.ceil((from - midnight) / step_ms) * step_ms; at <= to; at += step_ms) {
    found.push({ at, text: toLocal(at, config.timezone).slice(11) });
  }
  return found;
}

function at_(node, at, from, to) {
  node.style.left = `${(100 * (at - from)) / (to - from)}%`;
  return node;
}

// Which time is replayed: what is offered, what somebody types, what a link says.

export const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, SHORTEST_MS = 60_000;

// Spans {from, to} [ms] by name, as seen from the last full minute; `shift_from` is when the
// running shift began.
export function presets(clock_ms, shift_from) {
  const now = Math.floor(clock_ms / SHORTEST_MS) * SHORTEST_MS;
  const midnight = (at) => fromLocal(toLocal(at, config.timezone).slice(0, 10), config.timezone);
  const today = midnight(now);
  return {
    hour: { from: now - HOUR_MS, to: now },
    ...(shift_from > today && shift_from < now - SHORTEST_MS && { shift: { from: shift_from, to: now } }),
    today: { from: Math.min(today, now - SHORTEST_MS), to: now },
    yesterday: { from: midnight(today - DAY_MS / 2), to: today },
  };
}

// A span that can be replayed: not in the future, neither empty nor too long; else null.
export function valid({ from, to }, now) {
  const end = Math.min(to, now);
  return end - from >= SHORTEST_MS && end - from <= LONGEST_MS + HOUR_MS ? { from, to: Math.min(end, from + LONGEST_MS) } : null;
}

export async function askSpan(now, { from, to }) {
  const moment = (name, at) => ({ name, label: words.say(`replay.${name}`), type: "moment", value: toLocal(at, config.timezone), required: true });
  const values = await askFor(words, {
    title: words.say("replay.custom"), note: words.say("replay.custom_note"), fields: [moment("from", from), moment("to", to)], go: words.say("replay.show"),
  });
  if (!values) return null;
  const span = valid({ from: fromLocal(values.from, config.timezone), to: fromLocal(values.to, config.timezone) }, now);
  if (!span) toast(words.say("replay.bad_span"), { kind: "bad" });
  return span;
}

// As the API reads times: milliseconds, or a time that without an offset is the district's.
function instant(text) {
  if (/^\d+$/.test(text)) return Number(text);
  return /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? Date.parse(text) : fromLocal(text, config.timezone);
}

// What a link asks for: {from, to, at}, or null.
export function fromQuery(search, now) {
  const query = new URLSearchParams(search);
  const read = (name) => instant(query.get(name) ?? "");
  const at = read("at");
  if (!query.has("from") && Number.isNaN(at)) return null;
  const from = query.has("from") ? read("from") : at - HOUR_MS / 2;
  const span = valid({ from, to: query.has("to") ? read("to") : from + HOUR_MS }, now);
  return span && { ...span, at: at >= span.from && at <= span.to ? at : span.from };
}

export function toQuery({ from, to, at }) {
  const write = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000", "");
  return { from: write(from), to: write(to), at: write(at) };
}
