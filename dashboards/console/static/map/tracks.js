// @ts-check
// Where bikes have been, as lines. A line breaks where nothing was heard for longer than a path may bridge.
import * as L from "../leaflet/leaflet-src.esm.js";
import { keyOf } from "../bikes/facts.js";
import { config, live, read } from "../page/frame.js";
import { Newest } from "../page/live.js";
import { colorOf } from "./base.js";

export class TrackLayer {
  constructor(map) {
    Object.assign(this, { map, lines: new Map() });
    map.createPane("tracks").style.zIndex = 420;
    addEventListener("themechange", () => this.lines.forEach((line) => line.paths.forEach(([path, look]) => path.setStyle(styleFor(look)))));
  }

  // A bike's line, by key; `pieces` are lists of [lat, lng]. `strong` stands out among others.
  draw(key, pieces, { strong = false } = {}) {
    const known = this.lines.get(key);
    if (known?.strong === strong) {
      for (const [path] of known.paths) path.setLatLngs(pieces);
      return;
    }
    this.remove(key);
    const looks = strong ? ["halo", "strong"] : ["plain"];
    const paths = looks.map((look) => [L.polyline(pieces, { pane: "tracks", interactive: false, ...styleFor(look) }).addTo(this.map), look]);
    this.lines.set(key, { strong, paths });
  }

  remove(key) {
    for (const [path] of this.lines.get(key)?.paths ?? []) path.remove();
    this.lines.delete(key);
  }

  // Those that are not kept go.
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

// The positions of a track in [from, to] [ms], in pieces.
export function piecesOf({ timestamps, lat, lng }, { from = -Infinity, to = Infinity, gap_ms = config.max_gap_s * 1000 } = {}) {
  const pieces = [];
  let before = -Infinity;
  for (let i = 0; i < timestamps.length; i++) {
    const at = timestamps[i];
    if (at < from) continue;
    if (at > to) break;
    if (at - before > gap_ms) pieces.push([]);
    pieces.at(-1).push([lat[i], lng[i]]);
    before = at;
  }
  return pieces;
}

// Tracks of the last hour: of all bikes while their switch is on, and of one that somebody asked for.

const HOUR_MS = 3_600_000, EVERY_MS = 20_000;
const SHARED_MS = 10_000; // consoles that ask for the same share the answer

export class LastHour {
  constructor(map) {
    Object.assign(this, { layer: new TrackLayer(map), all: false, one: null, then: null });
    this.newest = new Newest(() => this.load(), 500);
    setInterval(() => !document.hidden && this.wanted && this.newest.want(), EVERY_MS);
  }

  get wanted() {
    return !this.then && (this.all || this.one);
  }

  showAll(on) {
    this.all = on;
    this.again();
  }

  showOne(key) {
    this.one = key;
    this.again();
  }

  // Tracks that are at hand already, up to an instant of the past [ms]; null is back to now.
  hold(tracks, at) {
    const before = this.then;
    this.then = tracks && { tracks, at };
    if (tracks) this.draw(tracks, at);
    else if (before) this.again();
  }

  again() {
    if (this.then) return this.draw(this.then.tracks, this.then.at);
    if (!this.wanted) return this.layer.keep(new Set());
    this.newest.want();
  }

  async load() {
    const to = Math.ceil(live.now() / SHARED_MS) * SHARED_MS;
    const span = { from: to - HOUR_MS, to };
    try {
      const tracks = this.all ? (await read(`/tracks?${new URLSearchParams(span)}`)).bikes : [await trackOf(this.one, span)];
      if (!this.wanted) return;
      this.draw(new Map(tracks.map((track) => [keyOf(track), track])), to);
    } catch { /* what is drawn stays; the next time comes soon */ }
  }

  draw(tracks, to) {
    const keep = new Set();
    for (const [key, track] of tracks) {
      if (!this.all && key !== this.one) continue;
      keep.add(key);
      this.layer.draw(key, piecesOf(track, { from: to - HOUR_MS, to, gap_ms: track.gap_ms }), { strong: key === this.one });
    }
    this.layer.keep(keep);
  }
}

// A bike's believed fixes, as GET /tracks has them.
async function trackOf(key, span) {
  const [vendor, bikeId] = key.split("/");
  const { geometry, properties } = await read(`/bikes/${encodeURIComponent(bikeId)}/track?${new URLSearchParams({ vendor, ...span })}`);
  const believed = geometry.coordinates.map((_, i) => i).filter((i) => BELIEVED.has(properties.verdicts[i]));
  const of = (values) => believed.map((i) => values[i]);
  const [lng, lat] = [0, 1].map((axis) => of(geometry.coordinates.map((position) => position[axis])));
  return { vendor, bike_id: bikeId, timestamps: of(properties.timestamps), lat, lng, gap_ms: config.max_gap_s * 1000 };
}

const BELIEVED = new Set(["ok", "parked", "off_shift", "outside_district"]);
