// A map with the base map of the settings, if there is one. Everything is put on it in WGS-84: when
// the base map is in GCJ-02, the projection moves what lies over it, and moves back what is drawn.
import { leaflet as L } from "nicegui-leaflet";
import { toGcj02, toWgs84 } from "./datum.js";
import { config, leafletStyle, words } from "./frame.js";
import { el } from "./page.js";

leafletStyle(); // on its way while the frame is being made

const MERCATOR = L.CRS.EPSG3857;

const OVER_GCJ02 = L.extend({}, MERCATOR, {
  projection: L.extend({}, MERCATOR.projection, {
    project: ({ lat, lng }) => MERCATOR.projection.project(L.latLng(toGcj02([lat, lng]))),
    unproject: (point) => {
      const { lat, lng } = MERCATOR.projection.unproject(point);
      return L.latLng(toWgs84([lat, lng]));
    },
  }),
});

export function baseMap(element, options = {}) {
  const map = L.map(element, {
    zoomSnap: 0.25, zoomControl: false, attributionControl: false,
    crs: config.tile_datum === "gcj02" ? OVER_GCJ02 : MERCATOR, ...options,
  });
  L.control.zoom({ position: "topright", zoomInTitle: words.say("map.zoom_in"), zoomOutTitle: words.say("map.zoom_out") }).addTo(map);
  L.control.scale({ position: "bottomright", imperial: false }).addTo(map);
  if (config.attribution) element.append(el("div", "attribution", config.attribution));
  if (config.tile_url) map.tiles = L.tileLayer(config.tile_url, { maxZoom: 19 }).addTo(map);
  return map;
}

// How a state looks as an outline: colour, weight and dashes, for eyes that cannot tell colours.
export function styleOf(state) {
  return {
    color: colorOf(state), weight: state === "overdue" ? 4 : 2.5,
    dashArray: { due: "9 5", unmeasurable: "2 7", off_duty: "1 5", paused: "1 5" }[state] ?? null,
    fillOpacity: { overdue: 0.24, short: 0.2, due: 0.16, compliant: 0.06 }[state] ?? 0.1,
  };
}

export function colorOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
}
