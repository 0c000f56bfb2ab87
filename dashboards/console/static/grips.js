// The grips of an outline: one at each vertex, and one in the middle of each edge that makes a new
// vertex. Of vertices too near each other to be gripped only one shows, until the map is nearer.
import { leaflet as L } from "nicegui-leaflet";
import { colorOf } from "./basemap.js";
import { words } from "./frame.js";
import { latLngOf, rounded } from "./outline.js";

const APART_PX = 14, EDGE_PX = 40;
const STEP_PX = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export class Grips {
  constructor(map, neighbours, outline, onChanged) {
    Object.assign(this, { map, neighbours, outline, onChanged, group: L.featureGroup().addTo(map) });
    this.shape = L.geoJSON(null, { interactive: false }).addTo(map);
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
    if (this.dragged) return;
    this.show();
    this.group.clearLayers();
    const seen = this.map.getBounds().pad(0.1);
    for (const [ring, { places }] of this.outline.rings.entries()) {
      const points = places.map((place) => this.map.latLngToLayerPoint(latLngOf(place)));
      let shown = null;
      for (const [at, point] of points.entries()) {
        const next = (at + 1) % points.length;
        if (!shown || shown.distanceTo(point) >= APART_PX) {
          shown = point;
          if (seen.contains(latLngOf(places[at]))) this.grip(ring, at, places[at]);
        }
        if (point.distanceTo(points[next]) >= EDGE_PX) {
          const middle = this.map.layerPointToLatLng(point.add(points[next]).divideBy(2));
          if (seen.contains(middle)) this.grip(ring, at + 1, [middle.lng, middle.lat], { isNew: true });
        }
      }
    }
    if (this.focused) this.group.eachLayer((marker) => marker.is === this.focused && marker.getElement().focus());
    this.focused = null;
  }

  grip(ring, at, place, { isNew = false } = {}) {
    const size = isNew ? 12 : 16;
    const icon = L.divIcon({ className: isNew ? "grip new" : "grip", iconSize: [size, size] });
    const marker = L.marker(latLngOf(place), { icon, draggable: true, keyboard: !isNew, zIndexOffset: isNew ? 0 : 1000, autoPan: true }).addTo(this.group);
    marker.is = isNew ? null : `${ring}/${at}`;
    const node = marker.getElement();
    node.title = words.say(isNew ? "draw.grip.new" : "draw.grip");
    marker.on("dragstart", () => {
      this.dragged = marker;
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
      this.dragged = null;
      this.focused = `${ring}/${at}`;
      this.changed();
    });
    if (isNew) return;
    const remove = () => this.outline.remove(ring, at) && this.changed();
    marker.on("contextmenu", remove);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") remove();
      else if (event.key in STEP_PX) this.step(ring, at, L.point(STEP_PX[event.key]).multiplyBy(event.shiftKey ? 10 : 1));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  step(ring, at, by) {
    const point = this.map.latLngToLayerPoint(latLngOf(this.outline.rings[ring].places[at])).add(by);
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
