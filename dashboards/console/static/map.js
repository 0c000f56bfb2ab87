// The map: zones coloured by state, cells by age as one image, bikes as arrows.
// Text from outside enters the page as text nodes only.
import { leaflet as L } from "nicegui-leaflet";
import { baseMap, styleOf } from "./basemap.js";
import { words } from "./frame.js";
import { badge, el, svg, zoneLink } from "./page.js";

const CELLS_EVERY_MS = 4000;

export class PatrolMap {
  constructor(element) {
    this.zones = new Map();
    this.bikes = new Map();
    this.early = new Map(); // bikes that were heard before the map knew where it is
    this.map = baseMap(element);
    // From below: tiles 200, cells, outlines 400, names 650, bikes, what a bike says.
    for (const [name, level] of [["cells", 350], ["bikes", 660], ["bike-tips", 670]]) {
      this.map.createPane(name).style.zIndex = level;
    }
    this.map.on("zoomend", () => this.scaleLabels());
    addEventListener("themechange", () => this.zones.forEach((zone) => this.updateZone(zone.status)));
  }

  // Draws the zones of GET /zones, once at the start and again after a reconnect.
  setZones(collection) {
    const known = this.zones;
    for (const { shape, label } of known.values()) shape.remove(), label.remove();
    this.zones = new Map();
    for (const feature of collection.features) {
      const shape = L.geoJSON(feature, { interactive: false }).addTo(this.map);
      const node = el("div", "zone-label");
      const label = L.tooltip({ permanent: true, direction: "center", className: "zone-tip", content: node });
      const [lng, lat] = feature.properties.label;
      label.setLatLng([lat, lng]).addTo(this.map);
      this.zones.set(feature.properties.zone_id, { shape, label, node });
      this.updateZone(feature.properties);
    }
    if (!this.overlay) {
      const { south, west, north, east } = collection.grid;
      this.all = L.latLngBounds([]);
      for (const { shape } of this.zones.values()) this.all.extend(shape.getBounds());
      this.map.fitBounds(this.all, { padding: [14, 14] });
      const box = [[south, west], [north, east]];
      this.overlay = L.imageOverlay("", box, { pane: "cells", className: "cells" });
      this.refreshCells();
    }
    this.scaleLabels();
    for (const bike of this.early.values()) this.updateBike(bike);
    this.early.clear();
  }

  updateZone(status) {
    const zone = this.zones.get(status.zone_id);
    if (!zone) return;
    zone.shape.setStyle(styleOf(status.state));
    zone.status = status;
    if (status.state === "overdue") zone.shape.bringToFront();
    zone.node.replaceChildren(
      el("b", "", zoneLink(status.zone_id, words.zoneName(status))),
      el("span", "zone-figures", badge(status.state), words.percent(status.covered_ratio)),
    );
    zone.node.dataset.state = status.state;
  }

  updateBike(bike) {
    if (bike.lat == null) return;
    const key = `${bike.vendor}/${bike.bike_id}`;
    if (!this.overlay) return this.early.set(key, bike);
    let known = this.bikes.get(key);
    if (!known) {
      const arrow = svg("0 0 24 24", "M12 2 L19.5 21 L12 16.5 L4.5 21 Z", "bike-arrow");
      const icon = L.divIcon({ html: arrow, className: "bike", iconSize: [24, 24] });
      const marker = L.marker([bike.lat, bike.lng], { icon, keyboard: false, riseOnHover: true, pane: "bikes" }).addTo(this.map);
      const tip = el("div", "bike-tip");
      marker.bindTooltip(tip, { direction: "top", offset: [0, -10], pane: "bike-tips" });
      marker.on("tooltipopen", () => fillBikeTip(tip, this.bikes.get(key).bike));
      known = { marker, arrow, tip };
      this.bikes.set(key, known);
    }
    known.bike = bike;
    known.marker.setLatLng([bike.lat, bike.lng]);
    known.arrow.style.transform = `rotate(${Math.round(bike.heading_deg ?? 0)}deg)`;
    const node = known.marker.getElement();
    node.classList.toggle("stale", bike.liveness !== "live");
    node.classList.toggle("standing", bike.heading_deg == null);
    node.dataset.bike = key;
    if (known.marker.isTooltipOpen()) fillBikeTip(known.tip, bike);
  }

  // Goes to a zone; asked for the same zone again, back to the whole district, unless it is to stay.
  showZone(zoneId, { stay = false } = {}) {
    const zone = this.zones.get(zoneId);
    if (!zone || (stay && this.shown === zoneId)) return;
    this.shown = this.shown === zoneId ? null : zoneId;
    const bounds = this.shown ? zone.shape.getBounds() : this.all;
    this.map.flyToBounds(bounds, { padding: [14, 14], duration: 0.4 });
  }

  // The new image is decoded before it replaces the old one, so nothing flickers.
  async refreshCells() {
    try {
      const answer = await fetch("/api/v1/cells.png", { cache: "no-cache" });
      const etag = answer.headers.get("etag");
      if (answer.ok && etag !== this.etag) {
        const url = URL.createObjectURL(await answer.blob());
        await Object.assign(new Image(), { src: url }).decode();
        this.overlay.setUrl(url).addTo(this.map);
        if (this.cellsUrl) URL.revokeObjectURL(this.cellsUrl);
        [this.cellsUrl, this.etag] = [url, etag];
      }
    } catch { /* the notice about the stream says that the server is away */ }
    setTimeout(() => this.refreshCells(), CELLS_EVERY_MS);
  }

  scaleLabels() {
    this.map.getContainer().dataset.scale = this.map.getZoom() < 12.25 ? "far" : "near";
  }
}

function fillBikeTip(node, bike) {
  const facts = [];
  if (bike.liveness !== "live") facts.push(words.say("bike.silent", { age: words.since(bike.at) }));
  else if (bike.speed_mps != null) facts.push(words.say("bike.speed", { speed: (bike.speed_mps * 3.6).toFixed(0) }));
  if (bike.battery_percent != null) facts.push(words.say("bike.battery", { percent: Math.round(bike.battery_percent) }));
  node.replaceChildren(el("b", "", bike.bike_id), el("div", "", facts.join(" · ")), el("div", "dim", bike.vendor));
}
