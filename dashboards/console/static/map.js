// The map of the desk: its layers, what switches them, and the card of the bike that was picked.
// Text from outside enters the page as text nodes only.
import { leaflet as L } from "nicegui-leaflet";
import { baseMap } from "./basemap.js";
import { BikeCard } from "./bikecard.js";
import { BikeLayer } from "./bikelayer.js";
import { CellOverlay } from "./celloverlay.js";
import { words } from "./frame.js";
import { LastHour } from "./lasthour.js";
import { LayerSwitches } from "./layers.js";
import { button, el } from "./page.js";
import { ZoneLayer } from "./zonelayer.js";

const ROOM = { padding: [14, 14] };

export class PatrolMap {
  constructor(element) {
    this.map = baseMap(element, { trackResize: false });
    new ResizeObserver(() => this.resized()).observe(element);
    this.zones = new ZoneLayer(this.map);
    this.cells = new CellOverlay(this.map);
    this.lastHour = new LastHour(this.map);
    this.card = new BikeCard(over(element, "bike-card"), {
      find: (key) => this.bikes.of(key),
      onTrack: (key) => this.lastHour.showOne(key),
      onClose: () => this.bikes.mark(null),
    });
    this.bikes = new BikeLayer(this.map, { onPick: (key) => this.pick(key), onDraw: () => this.card.refresh() });
    this.tools = over(element, "map-tools");
    const press = this.tool("layers", "L", () => this.switches.toggle());
    this.switches = new LayerSwitches(over(element, "layer-switches"), press, this.layers());
  }

  // A button on the map.
  tool(name, key, act) {
    const press = button("button", words.say(name), act, key);
    press.id = `tool-${name}`;
    this.tools.append(press);
    return press;
  }

  layers() {
    const pane = (name) => ({ on: true, show: (on) => (this.map.getPane(name).style.display = on ? "" : "none") });
    const cells = pane("cells");
    const { tiles } = this.map;
    return {
      zones: pane("zones"),
      names: pane("names"),
      cells: { on: true, show: (on) => (cells.show(on), (this.cells.visible = on)) },
      bikes: pane("bikes"),
      tracks: { on: false, show: (on) => this.lastHour.showAll(on) },
      ...(tiles && { tiles: { on: true, show: (on) => (on ? tiles.addTo(this.map) : tiles.remove()) } }),
    };
  }

  // Draws the zones of GET /zones; the first time it goes there.
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

  // Goes to a zone; asked for the same zone again, back to the whole district, unless it is to stay.
  showZone(zoneId, { stay = false } = {}) {
    const bounds = this.zones.boundsOf(zoneId);
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
    const keys = [...(this.bikes.then ?? this.bikes.now).keys()].sort();
    if (!keys.length) return;
    const key = keys[(keys.indexOf(this.card.key) + 1) % keys.length];
    this.pick(key);
    this.map.panInside(this.bikes.of(key), { padding: [60, 60] });
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
