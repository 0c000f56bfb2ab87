// @ts-check
// The desk: the map, the zones by urgency, the open alerts. Open all day.
import { AlertList, followAlerts } from "../alerts/list.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { $, badge, button, el, fill, narrow } from "../page/dom.js";
import { asked, config, keys, live, read, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { Replay } from "../replay/replay.js";
import { welcome } from "../vendors/first.js";
import { ZoneTable } from "../zones/list.js";
import { baseMap, excludedItem } from "./base.js";
import { BikeCard, BikeLayer, LastHour, pictureOf } from "./bikes.js";
import { ageItems, CellOverlay, ZoneLayer } from "./zones.js";

const RETRY_MS = 2000;

// Asked for at once, so that they are there when the frame is.
/** @type {Promise<Zones | null> | null} */
let early = read("/zones?coverage=false").catch(() => null);

start(async (main) => {
  welcome($("map-frame"));
  drawLegend($("legend"));
  const map = new PatrolMap($("map")), asOf = $("zones-as-of");
  const table = new ZoneTable($("zones"), (zoneId) => map.showZone(zoneId));
  const list = new AlertList($("alerts"),
    { onPick: ({ zone_id }) => zone_id && map.showZone(zone_id, { stay: true }) });
  followAlerts((open, active) => {
    $("alert-count").textContent = open.length;
    $("alert-count").classList.toggle("hot", active > 0);
    list.show(open);
  });

  // Again after each reconnect: zones may have been redrawn meanwhile.
  async function loadZones() {
    try {
      const collection = (await early) ?? (await read("/zones?coverage=false"));
      early = null;
      if (replay.on) return;
      map.drawZones(collection);
      fill($("legend-excluded"), excludedItem(collection));
      for (const status of words.zones.values()) map.zones.update(status);
      table.keep(new Set(collection.features.map((feature) => feature.id)));
    } catch {
      setTimeout(loadZones, RETRY_MS);
    }
  }

  function show(/** @type {Iterable<ZoneStatus>} */ statuses) {
    for (const status of statuses) {
      map.zones.update(status);
      table.update(status);
    }
    later("zones", () => table.sort());
  }
  const tool = map.tool("replay", "R", () => replay.toggle());
  const isPast = (is) => {
    main.toggleAttribute("data-replay", is);
    tool.ariaPressed = String(is);
    map.map.keyboard[is ? "disable" : "enable"]();
    asOf.hidden = !is;
  };
  // Table and map never show two different times: both are of the instant, or both are of now.
  const replay = new Replay($("replay-banner"), $("replay-bar"), {
    enter() {
      isPast(true);
      map.bikes.hold(new Map());
    },
    resized: () => map.resized(),
    leave() {
      isPast(false);
      map.cells.show(null);
      map.lastHour.hold(null);
      map.bikes.hold(null);
      map.zones.blank();
      table.empty(words.say("connecting"));
      show(words.zones.values());
      loadZones();
    },
    bikes: (bikes) => map.bikes.hold(bikes),
    trails: (tracks, at) => map.lastHour.hold(tracks, at),
    cells: (at) => map.cells.show(at),
    zones(statuses, at, outlines) {
      if (outlines) map.drawZones(outlines);
      asOf.textContent = statuses ? words.say("replay.as_of", { time: words.exact(at) })
        : words.say("replay.not_known");
      if (!statuses) {
        map.zones.blank();
        return table.empty("…");
      }
      table.keep(new Set(statuses.map((status) => status.zone_id)));
      show(statuses);
    },
  }, () => Math.max(0, ...[...words.zones.values()].map(
    ({ window_from }) => (window_from ? Date.parse(window_from) : 0))));
  // After a press by pointer the space bar is for playing, not for the button once more.
  main.addEventListener("click", ({ detail, target }) =>
    detail && target instanceof Element && target.closest("button")?.blur());
  keys.bind("l", "layers.key", () => map.toggleLayers());
  keys.bind("b", "card.key", () => map.pickNext());
  keys.bind("Escape", "card.close", () => map.card.key && map.card.close());
  live.on("open", loadZones).on("zones", loadZones);
  live.on("bike", (bike) => map.bikes.tell(bike));
  live.on("view", (told) => map.begin(told));
  live.on("coverage", (status) => replay.on || show([status]));
  // A link to a replay is followed once the clock has been heard.
  let followed = false;
  live.on("health", () => {
    map.bikes.seen();
    if (followed) return;
    followed = true;
    replay.follow(location.search);
    const bike = asked("bike");
    if (bike) map.pick(bike);
  });
});

/** @type {L.FitBoundsOptions} */ const ROOM = { padding: [14, 14] };
const STORED = "zhixun-layers";

class PatrolMap {
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
    this.note = Object.assign(over(element, "map-note"), { hidden: true });
    this.map.whenReady(() => this.look());
    this.map.on("moveend", () => this.look());
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

  /** Has the stream tell the bikes of what the map shows, and somewhat around that. Where it tells
   * only some of them, again after each move. */
  look({ again = false } = {}) {
    const shown = this.map.getBounds(), { key } = this.card;
    if (!again && this.note.hidden && this.box?.contains(shown)) return;
    this.box = shown.pad(0.25);
    live.see({ bbox: this.box.toBBoxString(), ...(key && { bike: key }) });
  }

  /** The bikes that are looked at follow: so many, `of` those there. */
  begin({ bikes, of }) {
    this.bikes.begin();
    this.note.hidden = bikes === of;
    this.note.textContent = words.say("map.some", { n: bikes, all: of });
  }

  /** Draws the zones of GET /zones; the first time it goes there. @param {Zones} collection */
  drawZones(collection) {
    this.zones.draw(collection);
    this.cells.place(collection.grid);
    if (!this.placed && collection.features.length) {
      this.placed = true;
      this.map.fitBounds(this.zones.bounds, ROOM);
      this.showZone(asked("zone"));
    }
  }

  // After its element has grown or shrunk. Who saw the whole district still does, or goes on to
  // the zone that is asked for; so does who had no window until now. Without one all stays.
  resized() {
    const { clientWidth, clientHeight } = this.map.getContainer();
    if (!this.placed || !clientWidth || !clientHeight) return;
    const { x, y } = this.map.getSize(); // as it was
    const whole = !x || !y || this.map.getBounds().contains(this.zones.bounds);
    this.map.invalidateSize({ animate: false });
    if (whole) this.map.fitBounds(this.bounds, { ...ROOM, animate: false });
  }

  /** Goes to a zone; asked for it again, back to the whole district, unless it is to stay. */
  showZone(zoneId, { stay = false } = {}) {
    const bounds = this.zones.zones.get(zoneId)?.shape.getBounds();
    if (!bounds || (stay && this.shown === zoneId)) return;
    this.shown = this.shown === zoneId ? null : zoneId;
    const { x, y } = this.map.getSize(); // no flight leads anywhere without a window
    this.map.flyToBounds(this.bounds, { ...ROOM, duration: 0.4, animate: x > 0 && y > 0 });
  }

  /** Of the zone that somebody went to, else of all. */
  get bounds() {
    return this.zones.zones.get(this.shown)?.shape.getBounds() ?? this.zones.bounds;
  }

  pick(key) {
    this.bikes.mark(key);
    this.card.open(key);
    if (!this.bikes.of(key) && this.box) this.look({ again: true });
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
 * @param {HTMLElement} node @param {HTMLElement} button @param {Layers} layers
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

function drawLegend(node) {
  const bike = (kind, state) => {
    const is = { className: "bike", data: { liveness: state.liveness } };
    return el("span", "item", el("span", is, pictureOf(state)), words.say(`legend.bike_${kind}`));
  };
  const riding = { liveness: "live", heading_deg: 0 };
  node.append(el("details", { open: !narrow.matches }, el("summary", "", words.say("legend")),
    el("div", "line", config.states.map((state) =>
      el("span", "item", badge(state), words.say(`state.${state}`)))),
    el("div", "line", el("b", "", words.say("legend.cells")), ageItems(),
      el("span", { id: "legend-excluded" })),
    el("div", "line", el("b", "", words.say("legend.bikes")),
      bike("live", riding), bike("standing", { liveness: "live" }),
      bike("stale", { ...riding, liveness: "stale" }),
      bike("silent", { liveness: "silent" }), bike("offline", { liveness: "offline" }),
      el("span", "item", el("i", "bike-low"), words.say("legend.bike_low")))));
}
