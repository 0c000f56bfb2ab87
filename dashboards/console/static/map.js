// The map: zones coloured by state, cells by age as one image, bikes as arrows.
// Text from outside enters the page as text nodes only.
import { leaflet as L } from "nicegui-leaflet";
import { badge, el, svg } from "./page.js";

const CELLS_EVERY_MS = 4000;

export class PatrolMap {
  constructor(element, config, words) {
    this.config = config;
    this.words = words;
    this.zones = new Map();
    this.bikes = new Map();
    this.map = L.map(element, { zoomSnap: 0.25, zoomControl: false, attributionControl: false });
    L.control.zoom({ position: "topright", zoomInTitle: "", zoomOutTitle: "" }).addTo(this.map);
    L.control.scale({ position: "bottomright", imperial: false }).addTo(this.map);
    if (config.attribution) element.append(el("div", "attribution", config.attribution));
    if (config.tile_url) L.tileLayer(config.tile_url, { maxZoom: 19 }).addTo(this.map);
    // From below: tiles 200, cells, outlines 400, names 650, bikes, what a bike says.
    for (const [name, level] of [["cells", 350], ["bikes", 660], ["bike-tips", 670]]) {
      this.map.createPane(name).style.zIndex = level;
    }
    this.map.on("zoomend", () => this.scaleLabels());
  }

  // Draws the zones of GET /zones, once at the start and again after a reconnect.
  setZones(collection) {
    for (const { shape, label } of this.zones.values()) shape.remove(), label.remove();
    this.zones.clear();
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
  }

  updateZone(status) {
    const zone = this.zones.get(status.zone_id);
    if (!zone) return;
    const style = getComputedStyle(document.documentElement);
    zone.shape.setStyle({
      color: style.getPropertyValue(`--${status.state}`).trim() || "#888",
      weight: status.state === "overdue" ? 4 : 2.5,
      dashArray: { due: "9 5", unmeasurable: "2 7", off_duty: "1 5", paused: "1 5" }[status.state] ?? null,
      fillOpacity: { overdue: 0.24, due: 0.16, compliant: 0.06 }[status.state] ?? 0.1,
    });
    if (status.state === "overdue") zone.shape.bringToFront();
    zone.node.replaceChildren(
      el("b", "", this.words.zoneName(status)),
      el("span", "zone-figures", badge(status.state), this.words.percent(status.covered_ratio)),
    );
    zone.node.dataset.state = status.state;
  }

  updateBike(bike) {
    if (bike.lat == null) return;
    const key = `${bike.vendor}/${bike.bike_id}`;
    let known = this.bikes.get(key);
    if (!known) {
      const arrow = svg("0 0 24 24", "M12 2 L19.5 21 L12 16.5 L4.5 21 Z", "bike-arrow");
      const icon = L.divIcon({ html: arrow, className: "bike", iconSize: [24, 24] });
      const marker = L.marker([bike.lat, bike.lng], { icon, keyboard: false, riseOnHover: true, pane: "bikes" }).addTo(this.map);
      const tip = el("div", "bike-tip");
      marker.bindTooltip(tip, { direction: "top", offset: [0, -10], pane: "bike-tips" });
      marker.on("tooltipopen", () => this.words.fillBikeTip(tip, this.bikes.get(key).bike));
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
    if (known.marker.isTooltipOpen()) this.words.fillBikeTip(known.tip, bike);
  }

  // Goes to a zone; asked for the same zone again, back to the whole district.
  showZone(zoneId) {
    const zone = this.zones.get(zoneId);
    if (!zone) return;
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
