// @ts-check
// The past on the map: bikes, cells and zones as they were at an instant of a chosen span.
//
//   live ──r, button, link──▶ paused ◀──space──▶ playing
//     ▲                         │                   │
//     └────────── Esc ──────────┴───────────────────┘
//
// While it is on, nothing that comes live touches the map or the table of zones. Bikes move with
// every picture, from tracks that were read once; zones and cells follow as fast as the server
// answers, always for the newest instant that is wanted.
import { keyOf } from "../bikes/facts.js";
import { askFor, toast } from "../page/dialog.js";
import { button, el, signButton, write } from "../page/dom.js";
import { config, keys, live, read, setQuery, words } from "../page/frame.js";
import { Newest } from "../page/live.js";
import { fromLocal, toLocal } from "../page/words.js";

const SCENE_EVERY_MS = 500, TRAILS_EVERY_MS = 300, LINK_EVERY_MS = 1000;
const STEP_MS = 60_000, LEAP = 10; // with shift
const COARSE_S = 30, COARSE_OVER_MS = 6 * 3_600_000; // a long span is looked at from afar
const MARKED = new Set(["zone_unpatrolled", "coverage_short"]);

export class Replay {
  /** @type {Map<string, Track>} */ tracks = new Map();
  /** @type {Mark[]} */ marks = [];
  /** @type {[number, number][]} */ duty = [];
  on = false;
  playing = false;
  speed = 60;
  from = 0;
  to = 0;
  at = 0;

  /** @param {HTMLElement} banner @param {HTMLElement} bar @param {Scene} scene
   * @param {() => number} shiftFrom when the shift began [ms] */
  constructor(banner, bar, scene, shiftFrom) {
    this.scene = scene;
    this.shiftFrom = shiftFrom;
    this.bar = new ReplayBar(banner, bar, this);
    this.zones = new Newest((at) => this.readZones(at), SCENE_EVERY_MS);
    const trails = async (at) => this.on && this.scene.trails(this.tracks, at);
    this.trails = new Newest(trails, TRAILS_EVERY_MS);
    this.link = new Newest(async () => this.on && setQuery(toQuery(this)), LINK_EVERY_MS);
    keys.bind("r", "replay.key", () => this.toggle());
  }

  toggle() {
    if (this.on) this.leave();
    else this.choose("hour");
  }

  /** Begins as a link asks; the clock must have been heard. */
  follow(search) {
    const asked = fromQuery(search, live.now());
    if (asked) this.enter(asked, asked.at);
  }

  async choose(name) {
    const now = live.now(), spans = presets(now, this.shiftFrom());
    const span = name === "custom" ? await askSpan(now, this.on ? this : spans.hour) : spans[name];
    if (span) this.enter(span, span.from, name);
  }

  enter({ from, to }, at, chosen = "custom") {
    this.play(false);
    this.from = Math.floor(from / 1000) * 1000;
    this.to = Math.ceil(to / 1000) * 1000;
    this.tracks = new Map();
    this.marks = [];
    this.duty = [];
    const begins = !this.on;
    if (begins) {
      this.on = true;
      this.bindKeys();
      this.scene.enter();
    }
    this.scene.zones(null, null);
    this.bar.open(presets(live.now(), this.shiftFrom()), this, chosen);
    if (begins) this.scene.resized();
    this.seek(at);
    this.load({ from: this.from, to: this.to });
  }

  leave() {
    if (!this.on) return;
    this.play(false);
    this.on = false;
    this.tracks = new Map();
    this.marks = [];
    this.mode?.end();
    for (const newest of [this.zones, this.trails, this.link]) newest.waits = false;
    this.bar.showMarks([]);
    setQuery({ from: null, to: null, at: null });
    this.bar.close();
    this.scene.leave();
    this.scene.resized();
  }

  /** Whether a span is still the one that is shown. */
  shows({ from, to }) {
    return this.on && this.from === from && this.to === to;
  }

  async load(span) {
    this.bar.tell(words.say("replay.loading"));
    this.readMarks(span);
    try {
      const answer = await readTracks(span);
      if (!this.shows(span)) return;
      // A bike is not shown where it was not heard for longer than a path may bridge, or than two
      // steps where the answer has fewer fixes than were sent.
      const gap_ms = Math.max(config.max_gap_s, 2 * answer.step_s) * 1000;
      const until = Date.parse(answer.to);
      this.tracks = new Map(
        answer.bikes.map((track) => [keyOf(track), { ...track, gap_ms, until }]));
      this.duty = answer.duty;
      this.bar.tell(this.tracks.size ? "" : words.say("replay.no_tracks"));
      this.seek(this.at);
    } catch (error) {
      if (this.shows(span)) this.bar.tell(words.say("replay.failed", { why: error.message }));
    }
  }

  /** When zones became overdue, by the alerts about it. */
  async readMarks(span) {
    /** @type {{alerts: Alert[]}} */
    const answer = await read("/alerts?limit=1000").catch(() => ({ alerts: [] }));
    if (!this.shows(span)) return;
    const text = (alert) => `${words.subject(alert)} · ${words.say(`rule.${alert.rule}`)}`;
    this.marks = answer.alerts.filter(({ rule }) => MARKED.has(rule))
      .map((each) => ({ at: Date.parse(each.opened), text: text(each), kind: each.severity }))
      .filter(({ at }) => at >= this.from && at <= this.to).sort((a, b) => a.at - b.at);
    this.bar.showMarks(this.marks);
  }

  async readZones(at) {
    const asked = `?at=${Math.round(at)}`;
    const both = Promise.all([read(`/coverage${asked}`), read(`/zones${asked}`)]);
    const [coverage, outlines] = await both.catch(() => [null]);
    if (this.on) this.scene.zones(coverage?.zones ?? null, coverage ? at : null, outlines);
  }

  seek(at) {
    if (!this.on) return;
    this.at = Math.min(Math.max(at, this.from), this.to);
    this.draw();
    this.link.want();
  }

  draw() {
    const bikes = new Map();
    for (const [key, track] of this.tracks) {
      const bike = bikeAt(track, this.at);
      if (bike) bikes.set(key, bike);
    }
    this.scene.bikes(bikes);
    this.scene.cells(this.at);
    this.bar.show(this);
    this.zones.want(this.at);
    this.trails.want(this.at);
  }

  play(on) {
    if (on === this.playing) return;
    this.playing = on;
    if (on && this.at >= this.to) this.at = this.from;
    let before = performance.now();
    const run = (this.run = (time) => {
      if (!this.playing || run !== this.run) return;
      const on = this.at + Math.max(0, time - before) * this.speed;
      this.seek(skipped(this.duty, this.at, on, this.to));
      before = time;
      if (this.at >= this.to) this.play(false);
      else requestAnimationFrame(run);
    });
    if (on) requestAnimationFrame(run);
    if (this.on) this.bar.show(this);
  }

  step(by) {
    this.play(false);
    this.seek(this.at + by * STEP_MS);
  }

  faster(by) {
    const at = SPEEDS.indexOf(this.speed) + by;
    this.speed = SPEEDS[Math.min(Math.max(at, 0), SPEEDS.length - 1)];
    this.bar.show(this);
  }

  toMark(by) {
    const next = by > 0 ? this.marks.find(({ at }) => at > this.at)
      : this.marks.findLast(({ at }) => at < this.at);
    this.play(false);
    this.seek(next?.at ?? (by > 0 ? this.to : this.from));
  }

  bindKeys() {
    this.mode = keys.mode()
      .bind(" ", "replay.play", () => this.play(!this.playing))
      .bind("ArrowLeft", "replay.back", (event) => this.step(event.shiftKey ? -LEAP : -1))
      .bind("ArrowRight", "replay.forward", (event) => this.step(event.shiftKey ? LEAP : 1))
      .bind("ArrowUp", "replay.faster", () => this.faster(1))
      .bind("ArrowDown", "replay.slower", () => this.faster(-1))
      .bind("[", "replay.previous_mark", () => this.toMark(-1))
      .bind("]", "replay.next_mark", () => this.toMark(1))
      .bind("Escape", "replay.leave", () => this.leave());
  }
}

// From a little before, so that it is known where bikes are when the span begins; coarser where
// the whole would be too much.
async function readTracks({ from, to }) {
  const early = Math.max(from - config.max_gap_s * 1000, to - LONGEST_MS);
  const asked = (step_s) =>
    read(`/tracks?${new URLSearchParams({ from: early, to, ...(step_s && { step_s }) })}`);
  return asked(to - from > COARSE_OVER_MS ? COARSE_S : null).catch((error) => {
    if (error.body?.step_s) return asked(error.body.step_s);
    throw error;
  });
}

/** Where playing goes on from one instant to the next [ms]: hours without duty are left out, those
 * at the end too, unless it began there. @param {[number, number][]} duty */
export function skipped(duty, before, on, to) {
  const holds = (at) => duty.some(([from, end]) => at >= from && at < end);
  if (!duty.length || holds(on)) return on;
  const next = Math.min(...duty.map(([from]) => from).filter((from) => from > on));
  return Number.isFinite(next) ? next : holds(before) ? to : on;
}

/** A bike as at an instant [ms], or null where it is not known: on the straight way between two
 * fixes of GET /tracks, or at the last one while the next is too far off. A track that ends where
 * it was read to goes on for all that is known. @param {Track} track
 * @param {number} at @returns {Bike | null} */
export function bikeAt({ vendor, bike_id, timestamps, lat, lng, heading, gap_ms, until }, at) {
  const i = lastBefore(timestamps, at);
  if (i < 0 || at - timestamps[i] > gap_ms) return null;
  const next_ms = timestamps[i + 1];
  const goes = next_ms - timestamps[i] <= gap_ms;
  const share = goes ? (at - timestamps[i]) / (next_ms - timestamps[i]) : 0;
  const between = (values) => (share ? values[i] + share * (values[i + 1] - values[i]) : values[i]);
  const ends = next_ms === undefined && (until ?? Infinity) - timestamps[i] <= gap_ms;
  const lives = goes || ends || at === timestamps[i];
  return {
    vendor, bike_id, at: timestamps[i], age_s: (at - timestamps[i]) / 1000,
    liveness: lives ? "live" : "stale",
    lat: between(lat), lng: between(lng), heading_deg: heading?.[i] ?? null,
  };
}

// The last of some sorted times that is not after `at`; -1 when all are.
function lastBefore(timestamps, at) {
  let low = 0, high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timestamps[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const SPEEDS = [10, 30, 60, 120, 300, 600];
const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, SHORTEST_MS = 60_000;

/** The controls of a replay: banner, spans, time slider with marks, play, speed. */
class ReplayBar {
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
  showMarks(/** @type {Mark[]} */ marks) {
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
function presets(clock_ms, shift_from) {
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
async function askSpan(now, { from, to }) {
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
function fromQuery(search, now) {
  const query = new URLSearchParams(search);
  const read = (name) => instant(query.get(name) ?? "");
  const at = read("at");
  if (!query.has("from") && Number.isNaN(at)) return null;
  const from = query.has("from") ? read("from") : at - HOUR_MS / 2;
  const span = valid({ from, to: query.has("to") ? read("to") : from + HOUR_MS }, now);
  return span && { ...span, at: at >= span.from && at <= span.to ? at : span.from };
}

function toQuery({ from, to, at }) {
  const write = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000", "");
  return { from: write(from), to: write(to), at: write(at) };
}
