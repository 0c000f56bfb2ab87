// @ts-check
// The map of the desk: its layers, what switches them, and the card of the bike that was picked.
// Text from outside enters the page as text nodes only.
import * as L from "../leaflet/leaflet-src.esm.js";
import { badge, button, el, fill } from "../page/dom.js";
import { config, words } from "../page/frame.js";
import { baseMap } from "./base.js";
import { BikeCard, BikeLayer, pictureOf } from "./bikes.js";
import { LastHour } from "./tracks.js";
import { ageItems, CellOverlay, ZoneLayer } from "./zones.js";

/** @type {L.FitBoundsOptions} */ const ROOM = { padding: [14, 14] };
const STORED = "zhixun-layers";

export class PatrolMap {
  constructor(element) {
    this.map = baseMap(element, { trackResize: false });
    new ResizeObserver(() => this.resized()).observe(element);
    this.zones = new ZoneLayer(this.map);
    this.cells = new CellOverlay(this.map);
    this.lastHour = new LastHour(this.map);
    this.card = new BikeCard(over(element, "bike-card"), {
      find: (key) => this.bikes.of(key),
      onTrack: (one) => this.lastHour.show({ one }),
      onClose: () => this.bikes.mark(null),
    });
    this.bikes = new BikeLayer(this.map,
      { onPick: (key) => this.pick(key), onDraw: () => this.card.refresh() });
    this.tools = over(element, "map-tools");
    const press = this.tool("layers", "L", () => this.toggleLayers());
    this.toggleLayers = layerSwitches(over(element, "layer-switches"), press, this.layers());
  }

  tool(name, key, act) {
    const press = button({ className: "button", id: `tool-${name}` }, words.say(name), act, key);
    this.tools.append(press);
    return press;
  }

  layers() {
    const pane = (name) => {
      const { style } = /** @type {HTMLElement} */ (this.map.getPane(name));
      return { on: true, show: (on) => void (style.display = on ? "" : "none") };
    };
    const cells = pane("cells"), { tiles } = this.map;
    const showTiles = (on) => void (on ? tiles?.addTo(this.map) : tiles?.remove());
    const showCells = (on) => {
      cells.show(on);
      this.cells.visible = on;
    };
    return {
      zones: pane("zones"), names: pane("names"), cells: { on: true, show: showCells },
      bikes: pane("bikes"), tracks: { on: false, show: (all) => this.lastHour.show({ all }) },
      ...(tiles && { tiles: { on: true, show: showTiles } }),
    };
  }

  /** Draws the zones of GET /zones; the first time it goes there. @param {Zones} collection */
  drawZones(collection) {
    this.zones.draw(collection);
    this.cells.place(collection.grid);
    if (!this.placed && collection.features.length) {
      this.placed = true;
      this.map.fitBounds(this.zones.bounds, ROOM);
    }
  }

  // After its element has grown or shrunk. Who saw the whole district still does.
  resized() {
    const whole = this.placed && this.map.getBounds().contains(this.zones.bounds);
    this.map.invalidateSize({ animate: false });
    if (whole) this.map.fitBounds(this.zones.bounds, { ...ROOM, animate: false });
  }

  /** Goes to a zone; asked for it again, back to the whole district, unless it is to stay. */
  showZone(zoneId, { stay = false } = {}) {
    const bounds = this.zones.zones.get(zoneId)?.shape.getBounds();
    if (!bounds || (stay && this.shown === zoneId)) return;
    this.shown = this.shown === zoneId ? null : zoneId;
    this.map.flyToBounds(this.shown ? bounds : this.zones.bounds, { ...ROOM, duration: 0.4 });
  }

  pick(key) {
    this.bikes.mark(key);
    this.card.open(key);
  }

  // The next bike in the order of their names, so that no pointer is needed.
  pickNext() {
    const keys = [...this.bikes.shown.keys()].sort();
    if (!keys.length) return;
    const key = keys[(keys.indexOf(this.card.key ?? "") + 1) % keys.length];
    this.pick(key);
    this.map.panInside(this.bikes.drawn.get(key).marker.getLatLng(), { padding: [60, 60] });
  }
}

// Something that lies over the map and keeps its clicks to itself.
function over(element, className) {
  const node = el("div", className);
  L.DomEvent.disableClickPropagation(node);
  L.DomEvent.disableScrollPropagation(node);
  element.append(node);
  return node;
}

/** A switch for each layer of the map, remembered on this device.
 * @param {HTMLElement} node @param {HTMLElement} button
 * @param {Record<string, {on: boolean, show: (on: boolean) => void}>} layers by name; `show` is
 * called with whether the layer is on, now and later
 * @returns {() => void} shows the switches, or hides them */
function layerSwitches(node, button, layers) {
  const kept = stored();
  Object.assign(node, { role: "group", ariaLabel: words.say("layers"), hidden: true });
  button.ariaExpanded = "false";
  const toggle = () => {
    node.hidden = !node.hidden;
    button.ariaExpanded = String(!node.hidden);
    if (node.hidden) button.focus();
    else node.querySelector("input")?.focus();
  };
  for (const [name, layer] of Object.entries(layers)) {
    const box = el("input", { type: "checkbox", name, checked: kept[name] ?? layer.on });
    const set = () => layer.show((layer.on = box.checked));
    box.addEventListener("change", () => {
      set();
      keep(layers);
    });
    node.append(el("label", "", box, words.say(`layers.${name}`)));
    set();
  }
  // Keys of the page stay still while one is in a field.
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key.toLowerCase() !== "l") return;
    toggle();
    event.preventDefault();
  });
  return toggle;
}

function keep(layers) {
  const all = Object.entries(layers).map(([name, { on }]) => [name, on]);
  try {
    localStorage.setItem(STORED, JSON.stringify(Object.fromEntries(all)));
  } catch { /* a browser that keeps nothing shows what it is told until the next visit */ }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    return {};
  }
}

export function drawLegend(node) {
  const bike = (kind, state) => {
    const is = { className: "bike", data: { liveness: state.liveness } };
    return el("span", "item", el("span", is, pictureOf(state)), words.say(`legend.bike_${kind}`));
  };
  const riding = { liveness: "live", heading_deg: 0 };
  fill(node, el("div", "line", config.states.map((state) =>
    el("span", "item", badge(state), words.say(`state.${state}`)))),
    el("div", "line", el("b", "", words.say("legend.cells")), ageItems()),
    el("div", "line", el("b", "", words.say("legend.bikes")),
      bike("live", riding), bike("standing", { liveness: "live" }),
      bike("stale", { ...riding, liveness: "stale" }),
      bike("silent", { liveness: "silent" }), bike("offline", { liveness: "offline" }),
      el("span", "item", el("i", "bike-low"), words.say("legend.bike_low"))));
}
