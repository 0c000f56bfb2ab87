// @ts-check
// A map with the base map of the settings, if there is one. Everything is put on it in WGS-84: when
// the base map is in GCJ-02, the projection moves what lies over it, and moves back what is drawn.
import * as L from "../leaflet/leaflet-src.esm.js";
import { el, svg } from "../page/dom.js";
import { config, words } from "../page/frame.js";

/** @type {any} its projection is not in Leaflet's types */ const MERCATOR = L.CRS.EPSG3857;

const OVER_GCJ02 = L.extend({}, MERCATOR, {
  projection: L.extend({}, MERCATOR.projection, {
    project: ({ lat, lng }) => MERCATOR.projection.project(L.latLng(toGcj02([lat, lng]))),
    unproject: (point) => {
      const { lat, lng } = MERCATOR.projection.unproject(point);
      return L.latLng(toWgs84([lat, lng]));
    },
  }),
});

/** @param {HTMLElement} element @param {L.MapOptions} options */
export function baseMap(element, options = {}) {
  const map = L.map(element, {
    zoomSnap: 0.25, zoomControl: false, attributionControl: false,
    crs: config.tile_datum === "gcj02" ? OVER_GCJ02 : MERCATOR, ...options,
  });
  // A map that is hidden, or has less room than its margins, would go to no place, and throw.
  const zoomOf = map.getBoundsZoom;
  map.getBoundsZoom = (bounds, inside, margins = L.point(0, 0)) => {
    const { x, y } = map.getSize().subtract(margins);
    return x > 0 && y > 0 ? zoomOf.call(map, bounds, inside, margins) : map.getMinZoom();
  };
  L.control.zoom({ position: "topright", zoomInTitle: words.say("map.zoom_in"),
    zoomOutTitle: words.say("map.zoom_out") }).addTo(map);
  L.control.scale({ position: "bottomright", imperial: false }).addTo(map);
  if (config.attribution) element.append(el("div", "attribution", config.attribution));
  const { tile_url: url } = config;
  return Object.assign(map, { tiles: url ? L.tileLayer(url, { maxZoom: 19 }).addTo(map) : null });
}

/** A pane for some layers of a map, below those with a larger index. */
export function pane(map, name, index) {
  map.createPane(name).style.zIndex = index;
}

// Hatching by colour: the angle of its lines, how far apart they are and how wide [px].
const HATCHES = { overdue: [45, 11, 2.5], short: [-45, 14, 2], unmeasurable: [90, 9, 1.2],
  paused: [0, 12, 1.5], dim: [-45, 5, 1] };
document.body.append(svg("svg", { class: "hatches", "aria-hidden": "true" },
  ...Object.entries(HATCHES).map(([color, [angle, apart, wide]]) => svg("pattern",
    { id: `hatch-${color}`, width: apart, height: apart, patternUnits: "userSpaceOnUse",
      patternTransform: `rotate(${angle})` },
    svg("rect", { width: wide, height: apart, fill: `var(--${color})` })))));

/** How a state looks: an outline by colour, weight and dashes, for eyes that cannot tell colours;
 * inside it hatching and never a fill, so that the colours of cells keep their meaning. */
export function styleOf(state) {
  return {
    color: colorOf(state), weight: state === "overdue" ? 4 : 2.5,
    dashArray: { short: "14 4", due: "9 5", unmeasurable: "2 7", off_duty: "1 5",
      paused: "1 5" }[state],
    ...hatched(state),
  };
}

function hatched(color) {
  return { fillColor: color in HATCHES ? `url(#hatch-${color})` : "none", fillOpacity: 0.75 };
}

/** What cannot be patrolled and counts for nothing, on a map of its own kind or of zones.
 * @param {L.Map} map @returns {(zones: Zones) => unknown} shows it as GET /zones has it */
export function excludedOn(map) {
  pane(map, "excluded", 360);
  const layer = L.geoJSON(undefined, { pane: "excluded", style: () => (
    { color: colorOf("dim"), weight: 1, ...hatched("dim") }) })
    .bindTooltip((each) => el("span", "", [
      words.zoneName(/** @type {any} */ (each).feature.properties), words.say("map.excluded"),
    ].filter(Boolean).join(words.say("join.of"))), { sticky: true });
  return ({ excluded }) =>
    layer.remove().clearLayers().addData(/** @type {any} */ (excluded)).addTo(map);
}

/** Goes to where something is on a map, with a margin [px], if it is anywhere.
 * @param {L.Map} map @param {L.LatLngBounds} bounds */
export function goTo(map, bounds, margin = 24) {
  map.invalidateSize();
  const room = L.point(margin, margin);
  if (bounds.isValid()) map.fitBounds(bounds, { padding: room, maxZoom: 16, animate: false });
}

/** The way of a bike, for a map; the style colours it, by the class of a colour.
 * @param {LatLng[] | LatLng[][]} places @param {string} color @param {number} weight [px]
 * @param {L.PolylineOptions & {halo?: boolean}} options */
export function wayOf(places, color, weight, { halo = true, ...options } = {}) {
  const line = (name, wide) =>
    L.polyline(places, { ...options, className: `way-${name}`, weight: wide });
  return L.featureGroup([...(halo ? [line("halo", weight + 3)] : []), line(color, weight)]);
}

/** The legend of what is excluded; null where nothing is. @param {Zones} zones */
export function excludedItem({ excluded }) {
  return excluded.length > 0
    && el("span", "item", el("i", "swatch excluded"), words.say("map.excluded"));
}

export function colorOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
}

// WGS-84 and GCJ-02, as geofence/datum.py has them; its tests hold this to the same values.
const SEMI_MAJOR_M = 6378245, ECCENTRICITY_SQUARED = 0.00669342162296594323, STEPS = 3;
const { PI, abs, cos, sin, sqrt } = Math;

function inChina(lat, lng) {
  return lat >= 0.8293 && lat <= 55.8271 && lng >= 72.004 && lng <= 137.8347;
}

/** @returns {LatLng} */
function displaced(lat, lng) {
  const x = lng - 105, y = lat - 35, root = sqrt(abs(x));
  const ripple = 20 * (sin(6 * PI * x) + sin(2 * PI * x));
  const waves = (v, long, longer) => 20 * sin(PI * v) + 40 * sin((PI * v) / 3)
    + long * sin((PI * v) / 12) + longer * sin((PI * v) / 30);
  const north = (ripple + waves(y, 160, 320)) * (2 / 3) - 100
    + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
  const east = (ripple + waves(x, 150, 300)) * (2 / 3) + 300
    + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
  const phi = (lat * PI) / 180, sine = sin(phi);
  const squeeze = 1 - ECCENTRICITY_SQUARED * sine * sine;
  const primeVertical_m = SEMI_MAJOR_M / sqrt(squeeze);
  const meridian_m = (primeVertical_m * (1 - ECCENTRICITY_SQUARED)) / squeeze;
  const degrees = 180 / PI;
  return [lat + (north / meridian_m) * degrees,
    lng + (east / (primeVertical_m * cos(phi))) * degrees];
}

// Both take and return [lat, lng] in degrees; outside China the two datums are the same.
/** @param {LatLng} wgs84 @returns {LatLng} */
export function toGcj02([lat, lng]) {
  return inChina(lat, lng) ? displaced(lat, lng) : [lat, lng];
}

/** @param {LatLng} gcj02 @returns {LatLng} */
export function toWgs84([lat, lng]) {
  if (!inChina(lat, lng)) return [lat, lng];
  let [w, v] = [lat, lng];
  for (let step = 0; step < STEPS; step++) {
    const [there, over] = displaced(w, v);
    [w, v] = [w - (there - lat), v - (over - lng)];
  }
  return [w, v];
}
