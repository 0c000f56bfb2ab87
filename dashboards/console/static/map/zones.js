// @ts-check
// The zones on the map: outlines by state, and names with state, coverage and the next deadline.
import * as L from "../leaflet/leaflet-src.esm.js";
import { badge, el, fill, zoneLink } from "../page/dom.js";
import { config, words } from "../page/frame.js";
import { later, Newest } from "../page/live.js";
import { byUrgency, lateness } from "../zones/list.js";
import { excludedOn, pane, styleOf } from "./base.js";
import { part } from "./labels.js";

const FAR_ZOOM = 12.25;
const NOW_EVERY_MS = 4000, THEN_EVERY_MS = 400;
const CALM = { state: "", zone_id: "" };
// Where a label may stand beside the middle of its zone, by its width and height.
const MOVES = [[0, 0], [0, -0.6], [0, 0.6], [-0.5, 0], [0.5, 0], [0, -1.1], [0, 1.1]]
  .map(([x, y]) => (wide, high) => [x * wide, y * high]);

export class ZoneLayer {
  /** @type {Map<string, DrawnZone>} */ zones = new Map();
  waiting = new Set();

  constructor(map) {
    this.map = map;
    pane(map, "zones", 400);
    pane(map, "names", 650);
    this.showExcluded = excludedOn(map);
    map.on("zoomend moveend resize", () => this.scale());
    addEventListener("themechange", () => this.zones.forEach((zone) => paint(zone)));
  }

  /** Draws the outlines of GET /zones, unless they are there already. @param {Zones} collection */
  draw(collection) {
    const drawn = JSON.stringify([collection.excluded, collection.features.map(
      ({ id, geometry, properties: { label } }) => [id, geometry, label])]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    for (const { shape, label } of this.zones.values()) {
      shape.remove();
      label.remove();
    }
    this.zones.clear();
    this.showExcluded(collection);
    for (const feature of collection.features) {
      const shape = L.geoJSON(feature, { interactive: false, pane: "zones" }).addTo(this.map);
      const node = el("div", "zone-label");
      const label = L.tooltip({ permanent: true, direction: "center", className: "zone-tip",
        content: node, pane: "names" });
      const [lng, lat] = feature.properties.label;
      label.on("add", () => settle(label, node)).setLatLng([lat, lng]).addTo(this.map);
      const zone = { shape, label, node, zoneId: feature.id,
        name: words.zoneName(feature.properties), status: null };
      this.zones.set(feature.id, zone);
      paint(zone);
    }
    this.scale();
  }

  get bounds() {
    const all = L.latLngBounds([]);
    for (const { shape } of this.zones.values()) all.extend(shape.getBounds());
    return all;
  }

  // However many statuses come, a zone is painted once a picture.
  update(status) {
    const zone = this.zones.get(status.zone_id);
    if (!zone) return;
    zone.status = status;
    this.waiting.add(status.zone_id);
    later("zones-on-map", () => {
      for (const each of this.zones.values()) if (this.waiting.has(each.zoneId)) paint(each);
      this.waiting.clear();
      this.part();
    });
  }

  /** Shows all zones without a state. */
  blank() {
    this.waiting.clear();
    for (const zone of this.zones.values()) paint(Object.assign(zone, { status: null }));
  }

  scale() {
    const { dataset } = this.map.getContainer();
    const scale = this.map.getZoom() < FAR_ZOOM ? "far" : "near";
    if (dataset.scale !== scale) {
      dataset.scale = scale;
      for (const { label } of this.zones.values()) label.update();
    }
    later("zone-labels", () => this.part());
  }

  /** Keeps the labels off each other, the urgent ones first. */
  part() {
    const all = [...this.zones.values()].filter(({ label }) => label.getElement())
      .sort((a, b) => byUrgency(a.status ?? CALM, b.status ?? CALM));
    part(all.map(({ label }) => (
      { node: /** @type {HTMLElement} */ (label.getElement()), moves: MOVES, small: true })),
    this.map.getContainer());
  }
}

function paint(/** @type {DrawnZone} */ { shape, label, node, zoneId, name, status }) {
  shape.setStyle(status ? styleOf(status.state) : styleOf("off_duty"));
  if (status?.state === "overdue") shape.bringToFront();
  const deadline = status && deadlineOf(status);
  const said = status ? `${status.state} ${words.percent(status.covered_ratio)} ${deadline}` : "";
  if (node.dataset.said === said && node.firstChild) return;
  node.dataset.said = said;
  node.dataset.state = status?.state ?? "";
  fill(node, el("b", "", zoneLink(zoneId, name)), status
    ? el("span", "zone-figures", badge(status.state), words.percent(status.covered_ratio))
    : el("span", "zone-figures dim", "…"), deadline && el("span", "zone-deadline", deadline));
  settle(label, node);
}

// The label where its size says, and above others as its state says. It has no element before the
// map has a view.
function settle(label, node) {
  const place = label.getElement();
  if (!place) return;
  place.dataset.state = node.dataset.state;
  label.update();
}

/** The deadline on a label: by when a zone is due, or how long it has been late. */
function deadlineOf(/** @type {ZoneStatus} */ status) {
  const late_s = lateness(status), { state, due_in_s } = status;
  if (late_s) return words.say("zones.late_by", { time: words.duration(late_s) });
  if (state === "overdue" || state === "short") return words.say(`state.${state}`);
  return state === "due" && due_in_s != null
    ? words.say("zones.due_in", { time: words.duration(due_in_s) }) : "";
}

/** The image of cells over a map, replaced whenever the server has another one. */
export class CellImage {
  /** @type {L.ImageOverlay | null} */ overlay = null;
  tag = "";

  constructor(map) {
    this.map = map;
    pane(map, "cells", 350);
  }

  /** The box that the image covers, as GET /zones says it. @param {Grid} grid */
  place({ south, west, north, east }) {
    /** @type {L.LatLngBoundsLiteral} */ const box = [[south, west], [north, east]];
    this.overlay ??= L.imageOverlay("", box, { pane: "cells", className: "cells" });
    this.overlay.setBounds(L.latLngBounds(box));
  }

  /** The new image is decoded before it replaces the old one, so nothing flickers.
   * @param {URLSearchParams} asked of GET /cells.png @param {RequestCache} cache
   * @param {() => boolean} outdated whether something else is wanted by now */
  async load(asked, cache, outdated) {
    const path = `/api/v1/cells.png?${asked}`;
    const answer = await fetch(path, { cache }).catch(() => null);
    asked.delete("at"); // the same cells at another instant are the same image
    const tag = `${asked} ${answer?.headers.get("etag")}`;
    // Where there is no answer, the notice about the stream says that the server is away.
    if (!answer?.ok || tag === this.tag || outdated()) return;
    const url = URL.createObjectURL(await answer.blob());
    await Object.assign(new Image(), { src: url }).decode();
    if (outdated()) return URL.revokeObjectURL(url);
    this.overlay?.setUrl(url).addTo(this.map);
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
    this.tag = tag;
  }
}

/** The cells by age: of now, or of an instant of the past. */
export class CellOverlay extends CellImage {
  /** @type {number | null} */ at = null;
  shown = true;

  constructor(map) {
    super(map);
    this.newest = new Newest((at) => this.loadAt(at), THEN_EVERY_MS);
    setInterval(() => this.at == null && !document.hidden && this.ask(), NOW_EVERY_MS);
  }

  place(grid) {
    const begins = !this.overlay;
    super.place(grid);
    if (begins) this.ask();
  }

  /** Cells as at an instant [ms]; null is now. */
  show(at) {
    if (at === this.at) return;
    this.at = at;
    this.ask();
  }

  set visible(shown) {
    this.shown = shown;
    if (shown) this.ask();
  }

  ask() {
    if (this.overlay && this.shown) this.newest.want(this.at);
  }

  loadAt(at) {
    const asked = new URLSearchParams(at == null ? {} : { at: String(Math.round(at)) });
    const outdated = () => (at == null) !== (this.at == null);
    return this.load(asked, at == null ? "no-cache" : "no-store", outdated);
  }
}

/** The legend of cells that were not visited. */
export function missingItem() {
  return el("span", "item", el("i", "swatch missing"), words.say("zone.missing"));
}

/** The legend of the cells' colours, an item for each class of ages. */
export function ageItems() {
  return config.ages.map(({ up_to_s, color }) => el("span", "item",
    el("i", { className: "swatch", style: { background: color } }),
    up_to_s == null ? words.say("legend.older")
      : words.say("legend.within", { age: words.duration(up_to_s) })));
}
