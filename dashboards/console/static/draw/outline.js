// @ts-check
// The outline of a zone while it is drawn: rings of [lng, lat], each change can be taken back.
// Places that were not moved keep every digit. There is no map in here.
const METRES_PER_DEGREE = 111_320; // as geofence/grid.py has it
const DIGITS = 1e7; // of a degree: a centimetre

function partsOf(/** @type {Geometry} */ geometry) {
  return geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
}

export class Outline {
  /** @type {Ring[][]} */ past = [];

  /** Holes and parts are rings like the others. @param {Geometry} geometry */
  constructor(geometry) {
    this.type = geometry.type;
    /** @type {Ring[]} */
    this.rings = partsOf(geometry).flatMap((rings, part) =>
      rings.map((ring) => ({ part, places: ring.slice(0, -1) })));
  }

  get changed() {
    return this.past.length > 0;
  }

  /** Begins a change, which undo takes back as a whole. */
  mark() {
    this.past.push(this.rings);
  }

  undo() {
    const before = this.past.pop();
    if (before) this.rings = before;
    return before !== undefined;
  }

  move(ring, at, place) {
    this.put(ring, (places) => (places[at] = place));
  }

  insert(ring, at, place) {
    this.put(ring, (places) => places.splice(at, 0, place));
  }

  /** A ring of three places has none to spare: without one of them there is no hole, or no part
   * with its holes. The last part stays. */
  remove(ring, at) {
    const { part, places } = this.rings[ring];
    const isShell = this.rings.findIndex((each) => each.part === part) === ring;
    const left = this.rings.filter((each, i) => (isShell ? each.part !== part : i !== ring));
    if (places.length <= 3 && !left.length) return false;
    this.mark();
    if (places.length > 3) this.put(ring, (others) => others.splice(at, 1));
    else this.rings = left;
    return true;
  }

  /** A further ring: within a part it is a hole of it, anywhere else a further part. */
  add(places) {
    this.mark();
    const around = this.rings.filter((ring) => isAround(ring.places, places[0]));
    const parts = this.rings.map(({ part }) => part);
    const part = around.length % 2 ? innermost(around).part : Math.max(...parts) + 1;
    this.rings = [...this.rings, { part, places }];
  }

  put(ring, change) {
    const places = [...this.rings[ring].places];
    change(places);
    this.rings = this.rings.map((each, i) => (i === ring ? { ...each, places } : each));
  }

  /** @returns {Geometry} */
  geometry() {
    const parts = new Map();
    for (const { part, places } of this.rings) {
      parts.set(part, [...(parts.get(part) ?? []), [...places, places[0]]]);
    }
    const coordinates = [...parts.values()];
    return this.type === "Polygon" && coordinates.length === 1
      ? { type: "Polygon", coordinates: coordinates[0] }
      : { type: "MultiPolygon", coordinates };
  }
}

/** The longitudes at which a ring crosses a parallel. @param {Place[]} places */
function crossings(places, lat) {
  return places.flatMap((a, i) => {
    const b = places[(i + 1) % places.length];
    if (a[1] > lat === b[1] > lat) return [];
    return [a[0] + ((b[0] - a[0]) * (lat - a[1])) / (b[1] - a[1])];
  });
}

/** Whether a ring goes around a place: how often a line from there to the east crosses it. */
function isAround(places, [lng, lat]) {
  return crossings(places, lat).filter((at) => lng < at).length % 2 === 1;
}

/** The ring with the least area of those around a place. @param {Ring[]} rings */
function innermost(rings) {
  const area = ({ places }) => swept([...places, places[0]]);
  return rings.toSorted((a, b) => area(a) - area(b))[0];
}

/** The place as Leaflet has it, latitude first. @returns {LatLng} */
export function latLngOf([lng, lat]) {
  return [lat, lng];
}

/** @returns {Place} */
export function rounded([lng, lat]) {
  return [Math.round(lng * DIGITS) / DIGITS, Math.round(lat * DIGITS) / DIGITS];
}

/** All rings of a geometry, without the repeated place at the end. */
export function ringsOf(geometry) {
  return new Outline(geometry).rings.map(({ places }) => places);
}

/** Area of a geometry [m²], holes left out, each part on the plane of its latitude. */
export function areaOf(/** @type {Geometry} */ geometry) {
  return partsOf(geometry).reduce((sum, [shell, ...holes]) => {
    const lats = shell.map(([, lat]) => lat);
    const middle = ((Math.min(...lats) + Math.max(...lats)) / 2) * (Math.PI / 180);
    const degrees = holes.reduce((left, hole) => left - swept(hole), swept(shell));
    return sum + degrees * METRES_PER_DEGREE ** 2 * Math.cos(middle);
  }, 0);
}

function swept(ring) {
  const [lng0, lat0] = ring[0]; // near the ring, so that no digits are lost
  const twice = ring.reduce((sum, [lng, lat], i) => {
    const [nextLng, nextLat] = ring[(i + 1) % ring.length];
    return sum + (lng - lng0) * (nextLat - lat0) - (nextLng - lng0) * (lat - lat0);
  }, 0);
  return Math.abs(twice) / 2;
}

/** How many cells of a grid have their middle in a geometry: what cannot be patrolled is not known
 * here, so it is about as many as it will have. @param {Geometry} geometry @param {Grid} grid */
export function cellsIn(geometry, { south, west, north, east, rows, cols }) {
  const height = (north - south) / rows, width = (east - west) / cols;
  const rings = ringsOf(geometry);
  let cells = 0;
  for (let row = 0; row < rows; row++) {
    const lat = south + (row + 0.5) * height;
    // Where the row's middle line crosses the rings: in between it is inside.
    const ends = rings.flatMap((places) => crossings(places, lat)).sort((a, b) => a - b);
    for (let i = 0; i + 1 < ends.length; i += 2) {
      const first = Math.max(0, Math.ceil((ends[i] - west) / width - 0.5));
      const after = Math.min(cols, Math.ceil((ends[i + 1] - west) / width - 0.5));
      cells += Math.max(0, after - first);
    }
  }
  return cells;
}

// Zones must not overlap and should leave no gap, so a boundary that two of them share is drawn
// with the very places of the first. Distances are in pixels, places are [lng, lat].

/** The place on rings that a pointer means: a vertex within reach goes before an edge.
 * @param {Pixel} at @param {Pixel[][]} rings @param {number} reach
 * @returns {(OnRing & {ring: number}) | null} */
export function nearest(at, rings, reach) {
  /** @type {any} */ let vertex = null;
  /** @type {any} */ let edge = null;
  for (const [ring, points] of rings.entries()) {
    for (const [index, a] of points.entries()) {
      const away = Math.hypot(a.x - at.x, a.y - at.y);
      if (away <= reach && !(away >= vertex?.away)) vertex = { ring, index, share: 0, away };
      const b = points[(index + 1) % points.length];
      const [dx, dy] = [b.x - a.x, b.y - a.y], square = dx * dx + dy * dy;
      if (!square) continue;
      const share = Math.min(1, Math.max(0, ((at.x - a.x) * dx + (at.y - a.y) * dy) / square));
      const off = Math.hypot(a.x + share * dx - at.x, a.y + share * dy - at.y);
      const best = off <= reach && share < 1 && !(off >= edge?.away);
      if (best) edge = { ring, index, share, away: off };
    }
  }
  const found = vertex ?? edge;
  return found && { ring: found.ring, index: found.index, share: found.share };
}

// The place itself: a vertex with all its digits, or a place on the edge.
export function placeAt(/** @type {Place[]} */ places, /** @type {OnRing} */ { index, share }) {
  const a = places[index], b = places[(index + 1) % places.length];
  return share ? rounded([a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]) : a;
}

// The vertices of a ring between two places on it, by the shorter way round.
/** @param {Place[]} places @param {OnRing} from @param {OnRing} to */
export function between(places, from, to) {
  const ways = [forward(places, from, to), forward(places, to, from).reverse()];
  const lengths = ways.map((way) => length([placeAt(places, from), ...way, placeAt(places, to)]));
  return lengths[1] < lengths[0] ? ways[1] : ways[0];
}

function forward(/** @type {Place[]} */ places, from, to) {
  const begin = from.index + from.share, n = places.length;
  const end = to.index + to.share, last = end < begin ? end + n : end;
  /** @type {Place[]} */ const found = [];
  for (let at = Math.floor(begin) + 1; at < last; at++) found.push(places[at % n]);
  return found;
}

function length(way) {
  return way.slice(1).reduce((sum, [lng, lat], i) => {
    const [lng0, lat0] = way[i];
    return sum + Math.hypot((lng - lng0) * Math.cos((lat * Math.PI) / 180), lat - lat0);
  }, 0);
}
