// @ts-check
// The controls of a replay: banner, spans, time slider with marks, play, speed.
import { askFor, toast } from "../page/dialog.js";
import { button, el, signButton, write } from "../page/dom.js";
import { config, words } from "../page/frame.js";
import { fromLocal, toLocal } from "../page/words.js";

export const SPEEDS = [10, 30, 60, 120, 300, 600];
export const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, SHORTEST_MS = 60_000;

export class ReplayBar {
  instant = el("time");
  speed = el("span", "replay-speed");
  note = el("span", "replay-note");
  spans = el("span", "replay-spans");
  span = el("span", "dim");
  marks = el("div", "replay-marks");
  hours = el("div", "replay-hours");
  slider = el("input", { className: "replay-slider", type: "range", step: "1000",
    ariaLabel: words.say("replay.slider") });

  /** @param {HTMLElement} banner @param {HTMLElement} bar @param {Replay} replay */
  constructor(banner, bar, replay) {
    this.banner = banner;
    this.bar = bar;
    this.replay = replay;
    banner.append(el("b", "", words.say("replay.banner")), this.instant, this.note,
      button("button main", words.say("replay.leave"), () => replay.leave(), "Esc"));
    this.slider.addEventListener("input", () => replay.seek(Number(this.slider.value)));
    this.play = button("button main play", "▶", () => replay.play(!replay.playing));
    const press = (sign, name, act, by) =>
      signButton("button", sign, words.say(`replay.${name}`), () => replay[act](by));
    bar.append(
      el("div", "replay-line", this.spans, this.span),
      el("div", "replay-line",
        press("⇤", "previous_mark", "toMark", -1), press("‹", "back", "step", -1), this.play,
        press("›", "forward", "step", 1), press("⇥", "next_mark", "toMark", 1),
        el("div", "replay-time", this.marks, this.slider, this.hours),
        press("−", "slower", "faster", -1), this.speed, press("+", "faster", "faster", 1)),
    );
  }

  /** @param {Record<string, Span>} spans those that are offered */
  open(spans, { from, to }, chosen) {
    this.banner.hidden = this.bar.hidden = false;
    this.spans.replaceChildren(...[...Object.keys(spans), "custom"].map((name) => {
      const is = { className: "button", ariaPressed: String(name === chosen) };
      return button(is, words.say(`replay.${name}`), () => this.replay.choose(name));
    }));
    this.span.textContent = `${words.time(from)} – ${words.time(to)}`;
    Object.assign(this.slider, { min: String(from), max: String(to) });
    const hours = ticks({ from, to });
    this.hours.replaceChildren(
      ...hours.map(({ at, text }) => moved(el("span", "", text), at, { from, to })));
    this.showMarks([]);
  }

  close() {
    this.banner.hidden = this.bar.hidden = true;
  }

  /** Moments under the slider; one is pressed to go there. */
  showMarks(/** @type {{at: number, text: string, kind: string}[]} */ marks) {
    const span = { from: Number(this.slider.min), to: Number(this.slider.max) };
    this.marks.replaceChildren(...marks.map(({ at, text, kind }) => {
      const title = `${words.exact(at)} ${text}`, go = () => this.replay.seek(at);
      const mark = signButton(`replay-mark ${kind}`, "", title, go);
      mark.tabIndex = -1; // there are keys for going from one to the next
      return moved(mark, at, span);
    }));
  }

  show({ at, playing, speed }) {
    const instant = words.exact(at);
    write(this.instant, instant);
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", instant);
    const title = words.say(playing ? "replay.pause" : "replay.play");
    write(this.play, playing ? "❚❚" : "▶");
    if (this.play.title !== title) this.play.title = this.play.ariaLabel = title;
    write(this.speed, `×${speed}`);
  }

  /** Tells beside the instant why something is not shown. */
  tell(text) {
    write(this.note, text);
  }
}

/** A node as far along the slider as an instant. */
function moved(node, at, { from, to }) {
  node.style.left = `${(100 * (at - from)) / (to - from)}%`;
  return node;
}

const local = (at) => toLocal(at, config.timezone);
const instantOf = (text) => fromLocal(text, config.timezone);
const midnight = (at) => instantOf(local(at).slice(0, 10));

/** Full hours of the district, as many as there is room for. @param {Span} span */
function ticks({ from, to }) {
  const minutes = [10, 30, 60, 120].find((each) => (to - from) / (each * 60_000) <= 8) ?? 240;
  const begin = midnight(from), step_ms = minutes * 60_000;
  const found = [];
  for (let at = begin + Math.ceil((from - begin) / step_ms) * step_ms; at <= to; at += step_ms) {
    found.push({ at, text: local(at).slice(11) });
  }
  return found;
}

/** Spans by name, as seen from the last full minute. @param {number} clock_ms
 * @param {number} shift_from when the running shift began [ms] @returns {Record<string, Span>} */
export function presets(clock_ms, shift_from) {
  const now = Math.floor(clock_ms / SHORTEST_MS) * SHORTEST_MS, today = midnight(now);
  const onShift = shift_from > today && shift_from < now - SHORTEST_MS;
  return {
    hour: { from: now - HOUR_MS, to: now },
    ...(onShift && { shift: { from: shift_from, to: now } }),
    today: { from: Math.min(today, now - SHORTEST_MS), to: now },
    yesterday: { from: midnight(today - DAY_MS / 2), to: today },
  };
}

/** A span that can be replayed: not in the future, neither empty nor too long; else null. */
function valid({ from, to }, now) {
  const end = Math.min(to, now), long = end - from;
  if (!(long >= SHORTEST_MS && long <= LONGEST_MS + HOUR_MS)) return null;
  return { from, to: Math.min(end, from + LONGEST_MS) };
}

/** Asks for a span, beginning with one. @param {number} now @param {Span} before
 * @returns {Promise<Span | null>} */
export async function askSpan(now, { from, to }) {
  /** @returns {Field} */
  const moment = (name, at) => ({ name, label: words.say(`replay.${name}`), type: "moment",
    value: local(at), required: true });
  const values = await askFor({
    title: words.say("replay.custom"), note: words.say("replay.custom_note"),
    fields: [moment("from", from), moment("to", to)], go: words.say("replay.show"),
  });
  if (!values) return null;
  const span = valid({ from: instantOf(values.from), to: instantOf(values.to) }, now);
  if (!span) toast(words.say("replay.bad_span"), { kind: "bad" });
  return span;
}

// As the API reads times: milliseconds, or a time that without an offset is the district's.
function instant(text) {
  if (/^\d+$/.test(text)) return Number(text);
  return /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? Date.parse(text) : instantOf(text);
}

/** The span and instant that a link asks for. @returns {(Span & {at: number}) | null} */
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
