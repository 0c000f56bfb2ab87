// @ts-check
// The bikes on the map: where they are now or, while somebody looks at the past, where they were.
// Whatever comes and however often, a bike is drawn once a picture, by changing what is there.
import {
  bikeOf, bikeRoute, isLow, keyOf, pageOf, percentText, speedOf, zoneText,
} from "../bikes/facts.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { button, el, link, signButton, svg, write } from "../page/dom.js";
import { config, live, read, words } from "../page/frame.js";
import { later, Newest } from "../page/live.js";
import { pane, wayOf } from "./base.js";
import { part } from "./labels.js";

const NEAR_ZOOM = 15, TICK_MS = 1000; // below, a bike says what it does when it is pointed at
// Where a label may stand beside its bike, by its width and height: right, left, below, above.
const MOVES = [() => [0, 0], (wide) => [-wide - 26, 0], (wide, high) => [-wide / 2 - 13, high],
  (wide, high) => [-wide / 2 - 13, -high]];
const TODAY_S = 12 * 3600; // an older time needs its day
const ROWS = ["state", "fix", "speed", "heading", "battery", "zone"];
const BIKE_PX2 = 24 * 24, CROWDED = 0.12; // share of the map that bikes of full size would hide

export class BikeLayer {
  /** @type {Map<string, Bike>} */ now = new Map();
  /** @type {Map<string, Bike> | null} */ then = null;
  drawn = new Map();
  waiting = new Set();
  /** @type {Set<string> | null} */ heard = null;
  /** @type {string | null} */ marked = null;
  ready = false;

  constructor(/** @type {L.Map} */ map, /** @type {BikeLayerTells} */ { onPick, onDraw }) {
    this.map = map;
    this.onPick = onPick;
    this.onDraw = onDraw;
    pane(map, "bikes", 660);
    pane(map, "bike-tips", 670);
    map.on("moveend zoomend", () => this.scale());
    map.whenReady(() => {
      this.ready = true;
      this.scale();
      this.draw();
    });
    setInterval(() => !document.hidden && this.tick(), TICK_MS);
  }

  /** The newest of a bike; drawn unless the map shows the past. @param {Bike} bike */
  tell(bike) {
    if (bike.lat == null) return;
    const key = keyOf(bike);
    this.now.set(key, bike);
    this.heard?.add(key);
    if (this.then) return;
    this.waiting.add(key);
    later("bikes-on-map", () => this.draw());
  }

  /** All bikes that the map shows come now, until :meth:`seen`. */
  begin() {
    this.heard = new Set();
  }

  /** Takes away the bikes that did not come. */
  seen() {
    const gone = this.heard ? [...this.now.keys()].filter((key) => !this.heard?.has(key)) : [];
    this.heard = null;
    for (const key of gone) {
      this.now.delete(key);
      if (this.then) continue; // the past has markers of its own bikes
      this.waiting.delete(key);
      this.drawn.get(key)?.marker.remove();
      this.drawn.delete(key);
    }
  }

  get shown() {
    return this.then ?? this.now;
  }

  /** A bike as the map shows it; undefined when it is not on the map. */
  of(key) {
    return this.shown.get(key);
  }

  /** Bikes of an instant of the past, by key; null is back to now. */
  hold(then) {
    this.then = then;
    this.waiting.clear();
    for (const [key, { place }] of this.drawn) place.classList.toggle("away", !this.of(key));
    for (const key of this.shown.keys()) this.waiting.add(key);
    this.draw();
  }

  draw() {
    if (!this.ready) return;
    for (const key of this.waiting) this.put(key, this.of(key));
    this.waiting.clear();
    this.onDraw();
  }

  put(key, bike) {
    const known = this.drawn.get(key) ?? this.add(key, bike);
    const at = known.marker.getLatLng();
    if (at.lat !== bike.lat || at.lng !== bike.lng) known.marker.setLatLng([bike.lat, bike.lng]);
    known.place.classList.remove("away");
    known.mark.show(bike, known.place);
    if (known.marker.isTooltipOpen()) fillTip(known.tip, bike);
  }

  add(key, bike) {
    const mark = new BikeMark(key, bike);
    const icon = L.divIcon({ html: mark.node, className: "bike", iconSize: [24, 24] });
    const marker = L.marker([bike.lat, bike.lng],
      { icon, keyboard: false, riseOnHover: true, pane: "bikes" }).addTo(this.map);
    const tip = el("div", "bike-tip");
    marker.bindTooltip(tip,
      { direction: "top", offset: [0, -10], pane: "bike-tips", className: "bike-tooltip" });
    marker.on("tooltipopen", () => fillTip(tip, this.of(key)));
    marker.on("click", () => this.onPick(key));
    const known = { marker, mark, tip, place: marker.getElement() };
    this.drawn.set(key, known);
    if (key === this.marked) this.mark(key);
    return known;
  }

  /** Marks one bike among the others; null marks none. @param {string | null} key */
  mark(key) {
    this.drawn.get(this.marked)?.place.classList.remove("picked");
    this.marked = key;
    this.drawn.get(key)?.place.classList.add("picked");
  }

  tick() {
    if (!this.ready) return; // a map that shows no place yet has no bounds
    this.scale();
    if (!this.then) for (const { mark } of this.drawn.values()) mark.tick();
    this.part();
    this.onDraw();
  }

  /** Keeps the labels off those of zones and off each other; who needs somebody goes first. */
  part() {
    const map = this.map.getContainer();
    if (map.dataset.bikes !== "near") return;
    const zones = [...map.querySelectorAll(".zone-tip:not(.covered-label)")];
    const calm = ({ place }) => Number(!place.matches(".stale, .low"));
    const labels = [...this.drawn.values()].filter(({ place }) => !place.matches(".away"))
      .sort((a, b) => calm(a) - calm(b))
      .map(({ mark }) => ({ node: mark.label, moves: MOVES, stays: true }));
    part(labels, map, zones.map((zone) => zone.getBoundingClientRect()));
  }

  // In a crowd bikes are small and say nothing, so that zones and cells are still seen.
  scale() {
    const { x, y } = this.map.getSize(), bounds = this.map.getBounds();
    const { dataset } = this.map.getContainer();
    const seen = [...this.shown.keys()].filter((key) => this.drawn.has(key)
      && bounds.contains(this.drawn.get(key).marker.getLatLng())).length;
    const scale = seen * BIKE_PX2 > CROWDED * x * y ? "crowd"
      : this.map.getZoom() < NEAR_ZOOM ? "far" : "near";
    if (dataset.bikes === scale) return;
    dataset.bikes = scale;
    this.part();
  }
}

function fillTip(node, bike) {
  const age = words.duration(ageOf(bike));
  const facts = [
    bike.liveness === "live" ? speedOf(bike) : words.say(`bike.${bike.liveness}`, { age }),
    batteryText(bike, "bike.battery"),
    bike.liveness === "live" && words.say("bike.age", { age }),
  ];
  node.replaceChildren(el("b", "", bike.bike_id), el("div", "", facts.filter(Boolean).join(" · ")),
    el("div", "dim", bike.vendor));
}

// How a bike looks and what stands beside it: its shape says what it does, not its colour alone.
//   live     a solid arrow, or a disc while it says no heading
//   stale    a hollow arrow or disc with broken outline, and how old the fix is
//   silent   a ring with a question mark, and how old the fix is
//   offline  a ring with a cross, and how old the fix is
// and a battery with an exclamation mark whose charge is low.

const SHAPES = {
  arrow: "M12 2 L19.5 21 L12 16.5 L4.5 21 Z",
  disc: "M12 5 a7 7 0 1 0 .01 0 Z",
  silent: "M12 3 a9 9 0 1 0 .01 0 Z M9.4 9.6 a2.6 2.6 0 1 1 3.9 2.3 q-1.3 .8 -1.3 2.1 M12 16.9 v.3",
  offline: "M12 3 a9 9 0 1 0 .01 0 Z M8.8 8.8 L15.2 15.2 M15.2 8.8 L8.8 15.2",
};

function shapeOf(bike) {
  if (bike.liveness in SHAPES) return bike.liveness;
  return bike.heading_deg == null ? "disc" : "arrow";
}

export function pictureOf(/** @type {Partial<Bike>} */ bike) {
  const shape = svg("path", { d: SHAPES[shapeOf(bike)] });
  return svg("svg", { viewBox: "0 0 24 24", class: "bike-arrow" }, shape);
}

/** Age of the fix [s]. A bike of the past brings its own. */
function ageOf(bike) {
  return bike.age_s ?? Math.max(0, (words.now() - Date.parse(bike.at)) / 1000);
}

/** The charge; a low one in words, another one as the text of a key, or alone. */
function batteryText(bike, key) {
  if (bike.battery_percent == null) return "";
  const percent = percentText(bike.battery_percent);
  if (isLow(bike)) return words.say("bike.battery_low", { percent });
  return key ? words.say(key, { percent }) : percent;
}

/** A piece of the page that is made once per bike; `show` changes it and makes nothing new. */
class BikeMark {
  constructor(key, bike) {
    this.picture = pictureOf(bike);
    this.facts = el("span", "bike-facts");
    this.age = el("span", "bike-age");
    this.label = el("span", "bike-label", el("b", "", bike.bike_id), this.facts, this.age);
    this.node = el("div", "bike-mark", this.picture, el("i", "bike-low"), this.label);
    this.key = key;
  }

  // `place` is the element that the map moves about.
  show(bike, place) {
    this.bike = bike;
    const shape = shapeOf(bike);
    if (this.shape !== shape) this.picture.firstChild.setAttribute("d", SHAPES[shape]);
    this.shape = shape;
    const turn = shape === "arrow" ? `rotate(${Math.round(bike.heading_deg)}deg)` : "none";
    if (this.turn !== turn) this.picture.style.transform = this.turn = turn;
    const { dataset, classList } = place;
    if (dataset.bike !== this.key) dataset.bike = this.key;
    if (dataset.liveness !== bike.liveness) {
      dataset.liveness = bike.liveness;
      classList.toggle("stale", bike.liveness !== "live");
    }
    classList.toggle("low", isLow(bike));
    const charge = bike.battery_percent == null ? "" : percentText(bike.battery_percent);
    write(this.facts, [speedOf(bike), charge].filter(Boolean).join(" · "));
    this.tick();
  }

  tick() {
    write(this.age, words.duration(ageOf(this.bike)));
  }
}

/** A card with the facts of one bike, pinned to the map until it is closed. */
export class BikeCard {
  /** @type {string | null} */ key = null;
  track = false;
  texts = Object.fromEntries(ROWS.map((name) => [name, el("span")]));
  title = el("b");
  link = link("button", "", words.say("card.page"));

  /** @param {HTMLElement} node @param {BikeCardAsks} asks */
  constructor(node, asks) {
    this.node = node;
    this.asks = asks;
    this.button = button("button", words.say("card.track"), () => this.showTrack(!this.track));
    this.rows = Object.fromEntries(ROWS.map((name) => [name, el("div", "card-row",
      el("span", "dim", words.say(`card.${name}`)), this.texts[name])]));
    const close = signButton("plain", "×", words.say("dialog.done"), () => this.close());
    node.append(el("div", "card-head", this.title, close), ...Object.values(this.rows),
      el("div", "buttons", this.button, this.link));
    node.hidden = true;
  }

  open(key) {
    const bike = bikeOf(key);
    if (this.track) this.showTrack(false);
    this.key = key;
    Object.assign(this.title, { textContent: bike.bike_id, title: bike.vendor });
    this.link.href = pageOf(bike);
    this.node.hidden = false;
    this.refresh();
  }

  close() {
    if (this.track) this.showTrack(false);
    this.key = null;
    this.node.hidden = true;
    this.asks.onClose();
  }

  showTrack(on) {
    this.track = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.asks.onTrack(on ? this.key : null);
  }

  // Changes texts and makes nothing, so that it may be called for every picture.
  refresh() {
    if (!this.key) return;
    const bike = this.asks.find(this.key);
    const facts = bike ? factsOf(bike) : { state: words.say("card.not_there") };
    for (const name of ROWS) {
      this.rows[name].hidden = !facts[name];
      write(this.texts[name], facts[name] ?? "");
    }
    this.rows.battery.classList.toggle("bad", Boolean(bike && isLow(bike)));
    this.rows.state.classList.toggle("bad", bike?.liveness !== "live");
  }
}

/** @returns {Record<string, string>} by the names of the rows */
function factsOf(bike) {
  const age_s = ageOf(bike);
  return {
    // The past says where a bike was, and not whether it was connected.
    state: bike.age_s == null ? words.say(`live.${bike.liveness}`) : "",
    fix: words.say("card.fix_at",
      { age: words.duration(age_s), time: words.exact(bike.at, { day: age_s > TODAY_S }) }),
    speed: speedOf(bike),
    heading: bike.heading_deg == null ? "" : compass(bike.heading_deg),
    battery: batteryText(bike, ""),
    zone: bike.age_s == null ? zoneText(bike) : "",
  };
}

function compass(heading_deg) {
  const names = words.say("compass").split(" ");
  return `${names[Math.round(heading_deg / 45) % 8]} ${Math.round(heading_deg)}°`;
}

const HOUR_MS = 3_600_000, EVERY_MS = 20_000;
const SHARED_MS = 10_000; // consoles that ask for the same share the answer
const BELIEVED = new Set(["ok", "parked", "off_shift", "outside_district"]);

/** Lines of bikes by their keys; a strong one stands out among others. */
class TrackLayer {
  /** @type {Map<string, {strong: boolean, line: L.FeatureGroup}>} */ lines = new Map();

  constructor(map) {
    this.map = map;
    pane(map, "tracks", 420);
  }

  draw(key, pieces, { strong = false } = {}) {
    const known = this.lines.get(key);
    if (known?.strong === strong) {
      known.line.eachLayer((/** @type {any} */ path) => path.setLatLngs(pieces));
      return;
    }
    this.remove(key);
    const line = wayOf(pieces, "track", strong ? 4 : 2, { halo: strong,
      opacity: strong ? 1 : 0.75, pane: "tracks", interactive: false }).addTo(this.map);
    this.lines.set(key, { strong, line });
  }

  remove(key) {
    this.lines.get(key)?.line.remove();
    this.lines.delete(key);
  }

  keep(keys) {
    for (const key of [...this.lines.keys()]) if (!keys.has(key)) this.remove(key);
  }
}

/** The positions of a track in [from, to] [ms], in pieces: a line breaks where nothing was heard
 * for longer than a path may bridge. @param {Track} track */
function piecesOf({ timestamps, lat, lng, gap_ms }, from, to) {
  /** @type {LatLng[][]} */ const pieces = [];
  let before = -Infinity;
  for (let i = 0; i < timestamps.length; i++) {
    const at = timestamps[i];
    if (at < from) continue;
    if (at > to) break;
    if (at - before > gap_ms) pieces.push([]);
    pieces[pieces.length - 1].push([lat[i], lng[i]]);
    before = at;
  }
  return pieces;
}

/** Tracks of the last hour: of all bikes while that is on, and of one that somebody asked for. */
export class LastHour {
  all = false;
  /** @type {string | null} */ one = null;
  /** @type {{tracks: Map<string, Track>, at: number} | null} */ then = null;

  constructor(map) {
    this.layer = new TrackLayer(map);
    this.newest = new Newest(() => this.load(), 500);
    setInterval(() => !document.hidden && this.wanted && this.newest.want(), EVERY_MS);
  }

  get wanted() {
    return !this.then && (this.all || this.one);
  }

  /** All of them or not, or the one of a key. */
  show(/** @type {{all?: boolean, one?: string | null}} */ wanted) {
    Object.assign(this, wanted);
    this.again();
  }

  /** Tracks that are at hand already, up to an instant of the past [ms]; null is back to now. */
  hold(tracks, at) {
    const before = this.then;
    this.then = tracks && { tracks, at };
    if (tracks || before) this.again();
  }

  again() {
    if (this.then) this.draw(this.then.tracks, this.then.at);
    else if (this.wanted) this.newest.want();
    else this.layer.keep(new Set());
  }

  async load() {
    const to = Math.ceil(live.now() / SHARED_MS) * SHARED_MS;
    const span = { from: String(to - HOUR_MS), to: String(to) };
    try {
      const tracks = this.all ? (await read(`/tracks?${new URLSearchParams(span)}`)).bikes
        : [await trackOf(this.one, span)];
      if (!this.wanted) return;
      this.draw(new Map(tracks.map((track) => [keyOf(track), track])), to);
    } catch { /* what is drawn stays; the next time comes soon */ }
  }

  draw(tracks, to) {
    const keep = new Set();
    for (const [key, track] of tracks) {
      if (!this.all && key !== this.one) continue;
      keep.add(key);
      const pieces = piecesOf({ gap_ms: config.max_gap_s * 1000, ...track }, to - HOUR_MS, to);
      this.layer.draw(key, pieces, { strong: key === this.one });
    }
    this.layer.keep(keep);
  }
}

/** A bike's believed fixes, as GET /tracks has them. */
export async function trackOf(key, span) {
  const bike = bikeOf(key);
  const { geometry, properties } = await read(bikeRoute(bike, "/track", span));
  const believed = geometry.coordinates.map((_, i) => i)
    .filter((i) => BELIEVED.has(properties.verdicts[i]));
  const of = (values) => believed.map((i) => values[i]);
  const [lng, lat] = [0, 1].map((axis) => of(geometry.coordinates.map((place) => place[axis])));
  return { ...bike, timestamps: of(properties.timestamps), lat, lng };
}
