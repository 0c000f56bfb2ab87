// Tracks of the last hour: of all bikes while their switch is on, and of one that somebody asked for.
import { keyOf } from "./bikefacts.js";
import { config, live, read } from "./frame.js";
import { Newest } from "./newest.js";
import { piecesOf, TrackLayer } from "./tracklayer.js";

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
