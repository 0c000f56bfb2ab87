// Draws a new outline: a click sets a place, a click on the first one closes the ring. Between two
// places on one neighbour the pen follows the neighbour's boundary; with Shift it goes straight.
import { leaflet as L } from "nicegui-leaflet";
import { colorOf } from "./basemap.js";
import { latLngOf, rounded } from "./outline.js";
import { between } from "./snapping.js";

const CLOSE_PX = 12, SAME_PX = 4;

export class Pen {
  // `onClosed` gets the GeoJSON Polygon, `onDrawn` is called after each change.
  constructor(map, neighbours, { onClosed, onDrawn }) {
    Object.assign(this, { map, neighbours, onClosed, onDrawn, strokes: [] });
    this.line = L.polyline([], { color: colorOf("accent"), weight: 3, interactive: false }).addTo(map);
    this.rubber = L.polyline([], { color: colorOf("accent"), weight: 2, dashArray: "4 6", interactive: false }).addTo(map);
    this.dots = L.featureGroup().addTo(map);
    this.at = L.circleMarker([0, 0], { radius: 6, color: colorOf("hot"), weight: 3, fill: false, interactive: false });
    this.handlers = { click: (event) => this.press(event), dblclick: () => this.close(), mousemove: (event) => this.hover(event) };
    map.on(this.handlers);
    map.doubleClickZoom.disable();
    map.getContainer().classList.add("drawing");
  }

  // A stroke is a click, with what the pen followed to get there.
  get places() {
    return this.strokes.flatMap((stroke) => stroke.places);
  }

  press({ latlng, layerPoint, originalEvent }) {
    if (this.closes(latlng)) return this.close();
    const last = this.strokes.at(-1);
    if (last?.pressed.distanceTo(layerPoint) < SAME_PX) return; // the second half of a double click
    const { on, place } = this.neighbours.snap(latlng);
    const way = this.followed(last?.on, on, originalEvent.shiftKey);
    this.strokes.push({ on, pressed: layerPoint, places: [...way, place ?? rounded([latlng.lng, latlng.lat])] });
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
    const way = last ? [last.places.at(-1), ...followed, here] : [];
    this.rubber.setLatLngs(way.map(latLngOf));
  }

  closes(latlng) {
    const { places, map } = this;
    return places.length > 2 && map.latLngToLayerPoint(latLngOf(places[0])).distanceTo(map.latLngToLayerPoint(latlng)) <= CLOSE_PX;
  }

  undo() {
    if (!this.strokes.pop()) return false;
    this.draw();
    return true;
  }

  // The way back to the first place follows a neighbour too, unless it has come that way.
  home() {
    const { places } = this;
    return this.followed(this.strokes.at(-1).on, this.strokes[0].on, false).filter((place) => !places.includes(place));
  }

  close() {
    if (this.places.length < 3) return false;
    const ring = [...this.places, ...this.home()];
    this.remove();
    this.onClosed({ type: "Polygon", coordinates: [[...ring, ring[0]]] });
    return true;
  }

  draw() {
    this.line.setLatLngs(this.places.map(latLngOf));
    this.rubber.setLatLngs([]);
    this.dots.clearLayers();
    for (const [i, place] of this.places.entries()) {
      L.circleMarker(latLngOf(place), { radius: i ? 4 : 7, color: colorOf("accent"), weight: 2, fillColor: colorOf("panel"), fillOpacity: 1, interactive: false }).addTo(this.dots);
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
