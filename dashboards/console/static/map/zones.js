// @ts-check
// The zones on the map: outlines by state, and names with state, coverage and the next deadline.
import * as L from "../leaflet/leaflet-src.esm.js";
import { badge, el, zoneLink } from "../page/dom.js";
import { words } from "../page/frame.js";
import { later, Newest } from "../page/live.js";
import { byUrgency, lateness } from "../zones/list.js";
import { styleOf } from "./base.js";

const FAR_ZOOM = 12.25;

export class ZoneLayer {
  constructor(map) {
    Object.assign(this, { map, zones: new Map(), waiting: new Set() });
    map.createPane("zones").style.zIndex = 400;
    map.createPane("names").style.zIndex = 650;
    map.on("zoomend resize", () => this.scale());
    addEventListener("themechange", () => this.zones.forEach((zone) => paint(zone)));
  }

  // Draws the outlines of GET /zones, unless they are there already; true when they changed.
  draw(collection) {
    const drawn = JSON.stringify(collection.features.map(({ id, geometry, properties: { label } }) => [id, geometry, label]));
    if (drawn === this.drawn) return false;
    this.drawn = drawn;
    for (const { shape, label } of this.zones.values()) shape.remove(), label.remove();
    this.zones = new Map();
    for (const feature of collection.features) {
      const shape = L.geoJSON(feature, { interactive: false, pane: "zones" }).addTo(this.map);
      const node = el("div", "zone-label");
      const label = L.tooltip({ permanent: true, direction: "center", className: "zone-tip", content: node, pane: "names" });
      const [lng, lat] = feature.properties.label;
      label.on("add", () => settle(label, node)).setLatLng([lat, lng]).addTo(this.map);
      const zone = { shape, label, node, zoneId: feature.id, name: words.zoneName(feature.properties), status: null };
      this.zones.set(feature.id, zone);
      paint(zone);
    }
    this.scale();
    return true;
  }

  get bounds() {
    const all = L.latLngBounds([]);
    for (const { shape } of this.zones.values()) all.extend(shape.getBounds());
    return all;
  }

  boundsOf(zoneId) {
    return this.zones.get(zoneId)?.shape.getBounds();
  }

  // However many statuses come, a zone is painted once a picture.
  update(status) {
    const zone = this.zones.get(status.zone_id);
    if (!zone) return;
    zone.status = status;
    this.waiting.add(status.zone_id);
    later("zones-on-map", () => {
      for (const zoneId of this.waiting) if (this.zones.has(zoneId)) paint(this.zones.get(zoneId));
      this.waiting.clear();
      this.part();
    });
  }

  // Nothing is known of how they stand.
  blank() {
    this.waiting.clear();
    for (const zone of this.zones.values()) zone.status = null, paint(zone);
  }

  scale() {
    const { dataset } = this.map.getContainer(), scale = this.map.getZoom() < FAR_ZOOM ? "far" : "near";
    if (dataset.scale !== scale) {
      dataset.scale = scale;
      for (const { label } of this.zones.values()) label.update();
    }
    later("zone-labels", () => this.part());
  }

  // Of labels that would cover each other, those stay that say more urgent things.
  part() {
    const labels = [...this.zones.values()].map(({ label, status }) => ({ node: label.getElement(), status }));
    const all = labels.filter(({ node }) => node).sort((a, b) => byUrgency(a.status ?? CALM, b.status ?? CALM))
      .map(({ node, status }) => ({ node, status, box: node.getBoundingClientRect() }));
    const kept = [];
    for (const { node, status, box } of all) {
      const hidden = status?.state !== "overdue" && kept.some((other) => covers(other, box));
      node.classList.toggle("covered-label", hidden);
      if (!hidden) kept.push(box);
    }
  }
}

const CALM = { state: "", zone_id: "" };

// Whether one box covers more than a third of another.
function covers(one, other) {
  const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return wide > 0 && high > 0 && wide * high > (other.width * other.height) / 3;
}

function paint({ shape, label, node, zoneId, name, status }) {
  shape.setStyle(status ? styleOf(status.state) : styleOf("off_duty"));
  if (status?.state === "overdue") shape.bringToFront();
  const deadline = status && deadlineOf(status);
  const said = status ? `${status.state} ${words.percent(status.covered_ratio)} ${deadline}` : "";
  if (node.dataset.said === said && node.firstChild) return;
  node.dataset.said = said;
  node.dataset.state = status?.state ?? "";
  node.replaceChildren(
    el("b", "", zoneLink(zoneId, name)),
    status
      ? el("span", "zone-figures", badge(status.state), words.percent(status.covered_ratio))
      : el("span", "zone-figures dim", "…"),
    ...(deadline ? [el("span", "zone-deadline", deadline)] : []),
  );
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

// What somebody must know without asking: by when a zone is due, or for how long it has been late.
function deadlineOf(status) {
  if (status.state === "overdue") {
    const late_s = lateness(status);
    return late_s ? words.say("zones.late_by", { time: words.duration(late_s) }) : words.say("state.overdue");
  }
  return status.state === "due" && status.due_in_s != null
    ? words.say("zones.due_in", { time: words.duration(status.due_in_s) })
    : "";
}

// The cells by age, as one image over the map: of now, or of an instant of the past.

const NOW_EVERY_MS = 4000, THEN_EVERY_MS = 400;

export class CellOverlay {
  constructor(map) {
    Object.assign(this, { map, at: null, shown: true });
    map.createPane("cells").style.zIndex = 350;
    this.newest = new Newest((at) => this.load(at), THEN_EVERY_MS);
    setInterval(() => this.at == null && !document.hidden && this.ask(), NOW_EVERY_MS);
  }

  // The box that the image covers, as GET /zones says it.
  place({ south, west, north, east }) {
    const box = [[south, west], [north, east]];
    if (this.overlay) return this.overlay.setBounds(box);
    this.overlay = L.imageOverlay("", box, { pane: "cells", className: "cells" });
    this.ask();
  }

  // Cells as at an instant [ms]; null is now.
  show(at) {
    if (at === this.at) return;
    this.at = at;
    this.ask();
  }

  // Whether anybody sees them.
  set visible(shown) {
    this.shown = shown;
    if (shown) this.ask();
  }

  ask() {
    if (this.overlay && this.shown) this.newest.want(this.at);
  }

  // The new image is decoded before it replaces the old one, so nothing flickers.
  async load(at) {
    try {
      const answer = await (at == null
        ? fetch("/api/v1/cells.png", { cache: "no-cache" })
        : fetch(`/api/v1/cells.png?at=${Math.round(at)}`, { cache: "no-store" }));
      const etag = answer.headers.get("etag");
      const outdated = () => (at == null) !== (this.at == null);
      if (!answer.ok || etag === this.etag || outdated()) return;
      const url = URL.createObjectURL(await answer.blob());
      await Object.assign(new Image(), { src: url }).decode();
      if (outdated()) return URL.revokeObjectURL(url);
      this.overlay.setUrl(url).addTo(this.map);
      if (this.url) URL.revokeObjectURL(this.url);
      [this.url, this.etag] = [url, etag];
    } catch { /* the notice about the stream says that the server is away */ }
  }
}
