// Zones must not overlap and should leave no gap, so a boundary that two of them share is drawn
// with the very places of the first. Distances are in pixels, places are [lng, lat].
import { rounded } from "./outline.js";

// The place on `rings` that a pointer at `at` means: a vertex within reach goes before an edge.
// Rings are lists of {x, y}; the answer is {ring, index, share}, the share of the edge that begins
// at the index, or null.
export function nearest(at, rings, reach) {
  let vertex = null, edge = null;
  for (const [ring, points] of rings.entries()) {
    for (const [index, a] of points.entries()) {
      const away = Math.hypot(a.x - at.x, a.y - at.y);
      if (away <= reach && !(away >= vertex?.away)) vertex = { ring, index, share: 0, away };
      const b = points[(index + 1) % points.length];
      const [dx, dy] = [b.x - a.x, b.y - a.y], square = dx * dx + dy * dy;
      if (!square) continue;
      const share = Math.min(1, Math.max(0, ((at.x - a.x) * dx + (at.y - a.y) * dy) / square));
      const off = Math.hypot(a.x + share * dx - at.x, a.y + share * dy - at.y);
      if (off <= reach && share < 1 && !(off >= edge?.away)) edge = { ring, index, share, away: off };
    }
  }
  const found = vertex ?? edge;
  return found && { ring: found.ring, index: found.index, share: found.share };
}

// The place itself: a vertex with all its digits, or a place on the edge.
export function placeAt(places, { index, share }) {
  const a = places[index], b = places[(index + 1) % places.length];
  return share ? rounded([a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]) : a;
}

// The vertices of a ring between two places on it, by the shorter way round.
export function between(places, from, to) {
  const ways = [forward(places, from, to), forward(places, to, from).reverse()];
  const lengths = ways.map((way) => length([placeAt(places, from), ...way, placeAt(places, to)]));
  return lengths[1] < lengths[0] ? ways[1] : ways[0];
}

function forward(places, from, to) {
  const begin = from.index + from.share, end = to.index + to.share, n = places.length;
  const found = [];
  for (let at = Math.floor(begin) + 1; at < (end < begin ? end + n : end); at++) found.push(places[at % n]);
  return found;
}

function length(way) {
  return way.slice(1).reduce((sum, [lng, lat], i) => {
    const [lng0, lat0] = way[i];
    return sum + Math.hypot((lng - lng0) * Math.cos((lat * Math.PI) / 180), lat - lat0);
  }, 0);
}
