// The bikes on the map: where they are now or, while somebody looks at the past, where they were.
// Whatever comes and however often, a bike is drawn once a picture, by changing what is there.
import { leaflet as L } from "nicegui-leaflet";
import { isLow, keyOf, percentText } from "./bikefacts.js";
import { ageOf, BikeMark, speedOf } from "./bikemark.js";
import { words } from "./frame.js";
import { later } from "./live.js";
import { el } from "./page.js";

const NEAR_ZOOM = 14, TICK_MS = 1000;
const BIKE_PX2 = 24 * 24, CROWDED = 0.12; // share of the map that bikes of full size would hide

export class BikeLayer {
  // `onPick` gets the key of a bike that was pressed; `onDraw` is told after each picture.
  constructor(map, { onPick, onDraw }) {
    Object.assign(this, { map, onPick, onDraw, now: new Map(), then: null, drawn: new Map(), waiting: new Set() });
    map.createPane("bikes").style.zIndex = 660;
    map.createPane("bike-tips").style.zIndex = 670;
    map.on("moveend zoomend", () => this.scale());
    map.whenReady(() => {
      this.ready = true;
      this.scale();
      this.draw();
    });
    setInterval(() => !document.hidden && this.tick(), TICK_MS);
  }

  // The newest of a bike; drawn unless the map shows the past.
  tell(bike) {
    if (bike.lat == null) return;
    const key = keyOf(bike);
    this.now.set(key, bike);
    if (this.then) return;
    this.waiting.add(key);
    later("bikes-on-map", () => this.draw());
  }

  // What is shown of a bike; undefined when it is not on the map.
  of(key) {
    return (this.then ?? this.now).get(key);
  }

  // Bikes of an instant of the past, by key; null is back to now.
  hold(then) {
    this.then = then;
    this.waiting.clear();
    for (const [key, { place }] of this.drawn) place.classList.toggle("away", !this.of(key));
    for (const key of (then ?? this.now).keys()) this.waiting.add(key);
    this.draw();
  }

  draw() {
    if (!this.ready) return;
    for (const key of this.waiting) this.put(key, this.of(key));
    this.waiting.clear();
    this.onDraw();
  }

  put(key, bike) {
    const known = this.drawn.get(key) ?? this.add(key, bike);
    const at = known.marker.getLatLng();
    if (at.lat !== bike.lat || at.lng !== bike.lng) known.marker.setLatLng([bike.lat, bike.lng]);
    known.mark.show(bike, known.place);
    if (known.marker.isTooltipOpen()) fillTip(known.tip, bike);
  }

  add(key, bike) {
    const mark = new BikeMark(key, bike);
    const icon = L.divIcon({ html: mark.node, className: "bike", iconSize: [24, 24] });
    const marker = L.marker([bike.lat, bike.lng], { icon, keyboard: false, riseOnHover: true, pane: "bikes" }).addTo(this.map);
    const tip = el("div", "bike-tip");
    marker.bindTooltip(tip, { direction: "top", offset: [0, -10], pane: "bike-tips", className: "bike-tooltip" });
    marker.on("tooltipopen", () => fillTip(tip, this.of(key)));
    marker.on("click", () => this.onPick(key));
    const known = { marker, mark, tip, place: marker.getElement() };
    this.drawn.set(key, known);
    return known;
  }

  // Marks one bike among the others; null marks none.
  mark(key) {
    this.drawn.get(this.marked)?.place.classList.remove("picked");
    this.marked = key;
    this.drawn.get(key)?.place.classList.add("picked");
  }

  tick() {
    if (!this.ready) return; // a map that shows no place yet has no bounds
    this.scale();
    if (!this.then) for (const { mark } of this.drawn.values()) mark.tick();
    this.onDraw();
  }

  // In a crowd bikes are small and say nothing, so that zones and cells are still seen.
  scale() {
    const { x, y } = this.map.getSize(), bounds = this.map.getBounds(), { dataset } = this.map.getContainer();
    let seen = 0;
    for (const bike of (this.then ?? this.now).values()) if (bounds.contains([bike.lat, bike.lng])) seen++;
    const scale = seen * BIKE_PX2 > CROWDED * x * y ? "crowd" : this.map.getZoom() < NEAR_ZOOM ? "far" : "near";
    if (dataset.bikes !== scale) dataset.bikes = scale;
  }
}

function fillTip(node, bike) {
  const age = words.duration(ageOf(bike));
  const facts = [
    bike.liveness === "live" ? speedOf(bike) : words.say(`bike.${bike.liveness}`, { age }),
    bike.battery_percent != null && words.say(isLow(bike) ? "bike.battery_low" : "bike.battery", { percent: percentText(bike.battery_percent) }),
    bike.liveness === "live" && words.say("bike.age", { age }),
  ];
  node.replaceChildren(el("b", "", bike.bike_id), el("div", "", facts.filter(Boolean).join(" · ")), el("div", "dim", bike.vendor));
}
