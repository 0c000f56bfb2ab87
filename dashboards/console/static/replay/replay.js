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
import { config, keys, live, read, setQuery, words } from "../page/frame.js";
import { Newest } from "../page/live.js";
import { askSpan, fromQuery, LONGEST_MS, presets, ReplayBar, SPEEDS, toQuery } from "./bar.js";

const SCENE_EVERY_MS = 500, TRAILS_EVERY_MS = 300, LINK_EVERY_MS = 1000;
const STEP_MS = 60_000, LEAP = 10; // with shift
const COARSE_S = 30, COARSE_OVER_MS = 6 * 3_600_000; // a long span is looked at from afar
const MARKED = new Set(["zone_unpatrolled", "coverage_short"]);

export class Replay {
  /** @type {Map<string, Track>} */ tracks = new Map();
  /** @type {{at: number, text: string, kind: string}[]} */ marks = [];
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
      this.tracks = new Map(answer.bikes.map((track) => [keyOf(track), { ...track, gap_ms }]));
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
      this.seek(this.at + Math.max(0, time - before) * this.speed);
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

/** A bike as at an instant [ms], or null where it is not known: on the straight way between two
 * fixes of GET /tracks, or at the last one while the next is too far off. @param {Track} track
 * @param {number} at @returns {Bike | null} */
export function bikeAt({ vendor, bike_id, timestamps, lat, lng, heading, gap_ms }, at) {
  const i = lastBefore(timestamps, at);
  if (i < 0 || at - timestamps[i] > gap_ms) return null;
  const next_ms = timestamps[i + 1];
  const goes = next_ms - timestamps[i] <= gap_ms;
  const share = goes ? (at - timestamps[i]) / (next_ms - timestamps[i]) : 0;
  const between = (values) => (share ? values[i] + share * (values[i + 1] - values[i]) : values[i]);
  const lives = goes || at === timestamps[i];
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
