// @ts-check
// Where bikes have been, as lines. A line breaks where nothing was heard for longer than a path
// may bridge.
import * as L from "../leaflet/leaflet-src.esm.js";
import { bikeOf, bikeRoute, keyOf } from "../bikes/facts.js";
import { config, live, read } from "../page/frame.js";
import { Newest } from "../page/live.js";
import { colorOf, pane } from "./base.js";

const HOUR_MS = 3_600_000, EVERY_MS = 20_000;
const SHARED_MS = 10_000; // consoles that ask for the same share the answer
const BELIEVED = new Set(["ok", "parked", "off_shift", "outside_district"]);

/** Lines of bikes by their keys; a strong one stands out among others. */
class TrackLayer {
  /** @type {Map<string, {strong: boolean, paths: [L.Polyline, string][]}>} */ lines = new Map();

  constructor(map) {
    this.map = map;
    pane(map, "tracks", 420);
    addEventListener("themechange", () => {
      const all = [...this.lines.values()].flatMap(({ paths }) => paths);
      for (const [path, look] of all) path.setStyle(styleFor(look));
    });
  }

  /** @param {string} key @param {LatLng[][]} pieces */
  draw(key, pieces, { strong = false } = {}) {
    const known = this.lines.get(key);
    if (known?.strong === strong) {
      for (const [path] of known.paths) path.setLatLngs(pieces);
      return;
    }
    this.remove(key);
    const line = (look) => L.polyline(pieces,
      { pane: "tracks", interactive: false, ...styleFor(look) }).addTo(this.map);
    const looks = strong ? ["halo", "strong"] : ["plain"];
    this.lines.set(key, { strong, paths: looks.map((look) => [line(look), look]) });
  }

  remove(key) {
    for (const [path] of this.lines.get(key)?.paths ?? []) path.remove();
    this.lines.delete(key);
  }

  keep(keys) {
    for (const key of [...this.lines.keys()]) if (!keys.has(key)) this.remove(key);
  }
}

function styleFor(look) {
  return {
    halo: { color: colorOf("halo"), weight: 8, opacity: 0.9 },
    strong: { color: colorOf("track"), weight: 4, opacity: 1 },
    plain: { color: colorOf("track"), weight: 2, opacity: 0.75 },
  }[look];
}

/** The positions of a track in [from, to] [ms], in pieces. @param {Track} track */
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
async function trackOf(key, span) {
  const bike = bikeOf(key);
  const { geometry, properties } = await read(bikeRoute(bike, "/track", span));
  const believed = geometry.coordinates.map((_, i) => i)
    .filter((i) => BELIEVED.has(properties.verdicts[i]));
  const of = (values) => believed.map((i) => values[i]);
  const [lng, lat] = [0, 1].map((axis) => of(geometry.coordinates.map((place) => place[axis])));
  return { ...bike, timestamps: of(properties.timestamps), lat, lng };
}
