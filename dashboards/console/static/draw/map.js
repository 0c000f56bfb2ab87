// @ts-check
// The map of the drawing page: all zones, the one that is looked at, an older outline of it, and
// where something is wrong with what was drawn.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf } from "../map/base.js";
import { el } from "../page/dom.js";
import { words } from "../page/frame.js";
import { latLngOf, nearest, placeAt, ringsOf } from "./outline.js";

const REACH_PX = 12;
const LOOKS = {
  chosen: () => ({ color: colorOf("accent"), weight: 3, fillOpacity: 0.14 }),
  older: () => ({ color: colorOf("due"), weight: 2.5, dashArray: "7 6", fillOpacity: 0.05 }),
};

export class DrawMap {
  /** @type {Record<string, L.GeoJSON | null>} */ outlines = {};
  placed = false;

  /** @param {HTMLElement} element @param {(zoneId: string) => unknown} onPick */
  constructor(element, onPick) {
    this.map = baseMap(element);
    this.map.setView([36.3, 120.4], 12); // until it is known where the zones are
    this.neighbours = new Neighbours(this.map, onPick);
    this.marks = L.featureGroup().addTo(this.map);
    // Keep the place under the pointer.
    new ResizeObserver(() => this.map.invalidateSize({ pan: false })).observe(element);
    addEventListener("themechange", () => {
      for (const name in this.outlines) this.outlines[name]?.setStyle(LOOKS[name]());
    });
  }

  /** All but the one that is drawn. @param {Zone[]} features @param {string} [but] */
  showZones(features, but) {
    this.neighbours.show(features.filter((feature) => feature.properties.zone_id !== but));
    if (!this.placed && features.length) this.fit(features);
    this.placed ||= features.length > 0;
  }

  /** @param {"chosen" | "older"} name @param {Geometry | null} geometry null takes it away */
  outline(name, geometry) {
    this.outlines[name]?.remove();
    this.outlines[name] = geometry
      && L.geoJSON(geometry, { interactive: false, style: LOOKS[name] }).addTo(this.map);
  }

  fit(/** @type {Zone[]} */ features) {
    const bounds = L.featureGroup(features.map((each) => L.geoJSON(each))).getBounds();
    this.map.fitBounds(bounds, { padding: [40, 40], maxZoom: 16, animate: false });
  }

  /** A sign at each place that a problem names. @param {{place: Place?, text: string}[]} all */
  mark(all) {
    this.marks.clearLayers();
    for (const { place, text } of all) {
      if (!place) continue;
      const icon = L.divIcon({ className: "flaw", html: el("span", "", "!"), iconSize: [22, 22] });
      L.marker(latLngOf(place), { icon, keyboard: false, zIndexOffset: 2000 })
        .bindTooltip(el("span", "", text), { direction: "top", offset: [0, -12] })
          .addTo(this.marks);
    }
  }

  goTo(place) {
    this.map.setView(latLngOf(place), Math.max(this.map.getZoom(), 15));
  }
}

/** The other zones, faint while one is drawn; what is drawn near them snaps to them. */
class Neighbours {
  /** @type {Place[][]} */ rings = [];
  /** @type {L.Point[][] | null} the rings on the screen */ points = null;

  constructor(map, onPick) {
    this.map = map;
    this.onPick = onPick;
    this.group = L.featureGroup().addTo(map);
    map.on("zoomend viewreset", () => (this.points = null));
    addEventListener("themechange", () => this.group.setStyle(look()));
  }

  show(/** @type {Zone[]} */ features) {
    this.group.clearLayers();
    for (const feature of features) {
      const { label, zone_id } = feature.properties;
      L.geoJSON(feature, { style: look }).on("click", () => this.onPick(zone_id)).addTo(this.group);
      const name = el("span", "", words.zoneName(feature.properties));
      L.tooltip({ permanent: true, direction: "center", className: "zone-tip faint" })
        .setContent(name).setLatLng(latLngOf(label)).addTo(this.group);
    }
    this.rings = features.flatMap((feature) => ringsOf(feature.geometry));
    this.points = null;
  }

  /** The place that a position snaps to, and where on which ring it is; null when none is near.
   * @returns {{on: {ring: Place[], index: number, share: number}?, place: Place?}} */
  snap(latlng) {
    this.points ??= this.rings.map((places) =>
      places.map((place) => this.map.latLngToLayerPoint(latLngOf(place))));
    const on = nearest(this.map.latLngToLayerPoint(latlng), this.points, REACH_PX);
    if (!on) return { on: null, place: null };
    const ring = this.rings[on.ring];
    return { on: { ...on, ring }, place: placeAt(ring, on) };
  }
}

function look() {
  return { color: colorOf("dim"), weight: 1.5, opacity: 0.8, fillOpacity: 0.07 };
}
