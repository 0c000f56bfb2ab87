// @ts-check
// The map of the drawing page: all zones, the one that is looked at, an older outline of it, and
// where something is wrong with what was drawn.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf, goTo } from "../map/base.js";
import { el } from "../page/dom.js";
import { words } from "../page/frame.js";
import { between, latLngOf, nearest, placeAt, ringsOf, rounded } from "./outline.js";

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
    goTo(this.map, L.featureGroup(features.map((each) => L.geoJSON(each))).getBounds(), 40);
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
  shown = "";

  constructor(map, onPick) {
    this.map = map;
    this.onPick = onPick;
    this.group = L.featureGroup().addTo(map);
    map.on("zoomend viewreset", () => (this.points = null));
    addEventListener("themechange", () => this.group.setStyle(look()));
  }

  show(/** @type {Zone[]} */ features) {
    const shown = JSON.stringify(features);
    if (shown === this.shown) return; // their names would only fade out and in
    this.shown = shown;
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

const CLOSE_PX = 12, SAME_PX = 4;
const APART_PX = 14, EDGE_PX = 40;
/** @type {Record<string, [number, number]>} */
const STEP_PX = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** Draws a new outline: a click sets a place, a click on the first one closes the ring. Between two
 * places on one neighbour the pen follows its boundary; with Shift it goes straight. */
export class Pen {
  /** @type {Stroke[]} */ strokes = [];

  /** @param {L.Map} map @param {Neighbours} neighbours @param {PenTells} tells */
  constructor(map, neighbours, { onClosed, onDrawn }) {
    this.map = map;
    this.neighbours = neighbours;
    this.onClosed = onClosed;
    this.onDrawn = onDrawn;
    const look = { color: colorOf("accent"), weight: 3, interactive: false };
    this.line = L.polyline([], look).addTo(map);
    this.rubber = L.polyline([], { ...look, weight: 2, dashArray: "4 6" }).addTo(map);
    this.dots = L.featureGroup().addTo(map);
    this.at = L.circleMarker([0, 0], { ...look, radius: 6, color: colorOf("hot"), fill: false });
    this.handlers = { click: (event) => this.press(event), dblclick: () => this.close(),
      mousemove: (event) => this.hover(event) };
    map.on(this.handlers);
    map.doubleClickZoom.disable();
    map.getContainer().classList.add("drawing");
  }

  get places() {
    return this.strokes.flatMap((stroke) => stroke.places);
  }

  press({ latlng, layerPoint, originalEvent }) {
    if (this.closes(latlng)) return this.close();
    const last = this.strokes.at(-1);
    // The second half of a double click.
    if (last && last.pressed.distanceTo(layerPoint) < SAME_PX) return;
    const { on, place } = this.neighbours.snap(latlng);
    const way = this.followed(last?.on, on, originalEvent.shiftKey);
    this.strokes.push({ on, pressed: layerPoint,
      places: [...way, place ?? rounded([latlng.lng, latlng.lat])] });
    this.draw();
  }

  followed(from, to, straight) {
    if (straight || !from || !to || from.ring !== to.ring) return [];
    return between(to.ring, from, to);
  }

  hover({ latlng, originalEvent }) {
    const closes = this.closes(latlng);
    const { on, place } = this.neighbours.snap(latlng);
    const here = closes ? this.places[0] : place ?? [latlng.lng, latlng.lat];
    if (closes || place) this.at.setLatLng(latLngOf(here)).addTo(this.map);
    else this.at.remove();
    const last = this.strokes.at(-1);
    const followed = closes ? this.home() : this.followed(last?.on, on, originalEvent.shiftKey);
    const way = last ? [...last.places.slice(-1), ...followed, here] : [];
    this.rubber.setLatLngs(way.map((each) => latLngOf(each)));
  }

  closes(latlng) {
    const { places, map } = this;
    const away = (place) =>
      map.latLngToLayerPoint(latLngOf(place)).distanceTo(map.latLngToLayerPoint(latlng));
    return places.length > 2 && away(places[0]) <= CLOSE_PX;
  }

  undo() {
    if (!this.strokes.pop()) return false;
    this.draw();
    return true;
  }

  /** The way back to the first place follows a neighbour too, unless it has come that way. */
  home() {
    const { places, strokes } = this;
    return this.followed(strokes[strokes.length - 1].on, strokes[0].on, false)
      .filter((place) => !places.includes(place));
  }

  close() {
    if (this.places.length < 3) return false;
    const ring = [...this.places, ...this.home()];
    this.remove();
    this.onClosed({ type: "Polygon", coordinates: [[...ring, ring[0]]] });
    return true;
  }

  draw() {
    this.line.setLatLngs(this.places.map((place) => latLngOf(place)));
    this.rubber.setLatLngs([]);
    this.dots.clearLayers();
    for (const [i, place] of this.places.entries()) {
      L.circleMarker(latLngOf(place), { radius: i ? 4 : 7, color: colorOf("accent"), weight: 2,
        fillColor: colorOf("panel"), fillOpacity: 1, interactive: false }).addTo(this.dots);
    }
    this.onDrawn();
  }

  remove() {
    this.map.off(this.handlers);
    this.map.doubleClickZoom.enable();
    this.map.getContainer().classList.remove("drawing");
    for (const layer of [this.line, this.rubber, this.dots, this.at]) layer.remove();
  }
}

/** The grips of an outline: one at each vertex, and one in the middle of each edge that makes a new
 * vertex. Of vertices too near each other to be gripped only one shows, until the map is nearer. */
export class Grips {
  dragging = false;
  /** @type {string | null} "RING/VERTEX" */ focused = null;

  /** @param {L.Map} map @param {Neighbours} neighbours @param {Outline} outline */
  constructor(map, neighbours, outline, onChanged) {
    this.map = map;
    this.neighbours = neighbours;
    this.outline = outline;
    this.onChanged = onChanged;
    this.group = L.featureGroup().addTo(map);
    this.shape = L.geoJSON(undefined, { interactive: false }).addTo(map);
    this.place_again = () => this.draw();
    map.on("moveend zoomend", this.place_again);
    addEventListener("themechange", this.place_again);
    this.draw();
  }

  show() {
    this.shape.clearLayers().addData(this.outline.geometry());
    this.shape.setStyle({ color: colorOf("accent"), weight: 3, fillOpacity: 0.16 });
  }

  draw() {
    if (this.dragging) return;
    this.show();
    this.group.clearLayers();
    const seen = this.map.getBounds().pad(0.1);
    for (const [ring, { places }] of this.outline.rings.entries()) {
      const points = places.map((place) => this.map.latLngToLayerPoint(latLngOf(place)));
      /** @type {L.Point | null} */ let shown = null;
      for (const [at, point] of points.entries()) {
        const next = (at + 1) % points.length;
        if (!shown || shown.distanceTo(point) >= APART_PX) {
          shown = point;
          if (seen.contains(latLngOf(places[at]))) this.grip(ring, at, places[at]);
        }
        if (point.distanceTo(points[next]) >= EDGE_PX) {
          const middle = this.map.layerPointToLatLng(point.add(points[next]).divideBy(2));
          const place = [middle.lng, middle.lat];
          if (seen.contains(middle)) this.grip(ring, at + 1, place, { isNew: true });
        }
      }
    }
    this.focused = null;
  }

  grip(ring, at, place, { isNew = false } = {}) {
    const size = isNew ? 12 : 16;
    const icon = L.divIcon({ className: isNew ? "grip new" : "grip", iconSize: [size, size] });
    const marker = L.marker(latLngOf(place),
      { icon, draggable: true, keyboard: !isNew, zIndexOffset: isNew ? 0 : 1000, autoPan: true })
      .addTo(this.group);
    const name = `${ring}/${at}`, node = /** @type {HTMLElement} */ (marker.getElement());
    node.title = words.say(isNew ? "draw.grip.new" : "draw.grip");
    if (!isNew && this.focused === name) node.focus();
    marker.on("dragstart", () => {
      this.dragging = true;
      this.outline.mark();
      if (isNew) this.outline.insert(ring, at, place);
    });
    marker.on("drag", () => {
      const { lat, lng } = marker.getLatLng();
      const snapped = this.neighbours.snap({ lat, lng }).place;
      node.classList.toggle("snapped", snapped !== null);
      if (snapped) marker.setLatLng(latLngOf(snapped));
      this.outline.move(ring, at, snapped ?? rounded([lng, lat]));
      this.show();
    });
    marker.on("dragend", () => {
      this.dragging = false;
      this.focused = name;
      this.changed();
    });
    if (isNew) return;
    const remove = () => this.outline.remove(ring, at) && this.changed();
    marker.on("contextmenu", remove);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") remove();
      else if (!(event.key in STEP_PX)) return;
      else this.step(ring, at, L.point(STEP_PX[event.key]).multiplyBy(event.shiftKey ? 10 : 1));
      event.preventDefault();
      event.stopPropagation();
    });
  }

  step(ring, at, by) {
    const place = this.outline.rings[ring].places[at];
    const point = this.map.latLngToLayerPoint(latLngOf(place)).add(by);
    const { lat, lng } = this.map.layerPointToLatLng(point);
    this.outline.mark();
    this.outline.move(ring, at, rounded([lng, lat]));
    this.focused = `${ring}/${at}`;
    this.changed();
  }

  undo() {
    if (!this.outline.undo()) return false;
    this.changed();
    return true;
  }

  changed() {
    this.draw();
    this.onChanged();
  }

  remove() {
    this.map.off("moveend zoomend", this.place_again);
    removeEventListener("themechange", this.place_again);
    this.shape.remove();
    this.group.remove();
  }
}
