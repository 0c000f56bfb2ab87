// @ts-check
// Draws a new outline: a click sets a place, a click on the first one closes the ring. Between two
// places on one neighbour the pen follows the neighbour's boundary; with Shift it goes straight.
import * as L from "../leaflet/leaflet-src.esm.js";
import { colorOf } from "../map/base.js";
import { words } from "../page/frame.js";
import { between, latLngOf, rounded } from "./outline.js";


const CLOSE_PX = 12, SAME_PX = 4;
const APART_PX = 14, EDGE_PX = 40;
/** @type {Record<string, [number, number]>} */
const STEP_PX = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

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
