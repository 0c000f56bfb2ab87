// Where bikes have been, as lines. A line breaks where nothing was heard for longer than a path may bridge.
import { leaflet as L } from "nicegui-leaflet";
import { colorOf } from "./basemap.js";
import { config } from "./frame.js";

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
