// @ts-check
// Where in a zone nobody has been in this window; or, switched, how long ago each cell was visited.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, styleOf } from "../map/base.js";
import { ageItems, CellImage } from "../map/zones.js";
import { el } from "../page/dom.js";
import { live, read, repeat, unread, words } from "../page/frame.js";

const EVERY_MS = 30_000;

export class ZoneCells {
  /** @type {ZoneStatus | null} */ status = null;
  /** @type {L.GeoJSON | null} */ shape = null;
  ages = el("input", { type: "checkbox" });
  says = el("span", "says");
  key = el("span", "key");
  wanted = "";

  constructor(/** @type {HTMLElement} */ body, /** @type {string} */ zoneId) {
    this.zoneId = zoneId;
    const frame = el("div", "zone-map");
    const ages = el("label", "switch", this.ages, words.say("zone.ages"));
    body.append(el("div", "cells-head", this.says, el("span", "space"), ages), frame, this.key);
    this.ages.addEventListener("change", () => this.refresh());
    this.map = baseMap(frame);
    this.image = new CellImage(this.map);
    new ResizeObserver(() => this.fit()).observe(frame);
    const outline = () => this.outline().catch(unread);
    live.on("open", outline).on("zones", outline);
    addEventListener("themechange", () => this.style());
    this.refresh();
    repeat(EVERY_MS, () => this.refresh());
  }

  /** The zone as it is now; it can be redrawn while the page is open. */
  async outline() {
    /** @type {Zones} */ const { features, grid } = await read("/zones");
    const zone = features.find((feature) => feature.id === this.zoneId);
    if (!zone) return;
    this.shape?.remove();
    this.shape = L.geoJSON(zone, { interactive: false }).addTo(this.map);
    this.image.place(grid);
    this.style();
    this.fit();
    await this.refresh();
  }

  style() {
    this.shape?.setStyle({ ...styleOf(this.status?.state), fillOpacity: 0 });
  }

  fit() {
    this.map.invalidateSize();
    const room = { padding: L.point(18, 18), animate: false };
    if (this.shape) this.map.fitBounds(this.shape.getBounds(), room);
  }

  update(/** @type {ZoneStatus} */ status) {
    const before = this.status;
    this.status = status;
    this.says.textContent = saysOf(status);
    if (before?.state !== status.state) this.style();
    const isNew = before?.window_from !== status.window_from
      || before?.cells_covered !== status.cells_covered;
    if (isNew) this.refresh().catch(unread);
  }

  async refresh() {
    const ages = this.ages.checked, from = this.status?.window_from;
    const missing = el("span", "item", el("i", "swatch missing"), words.say("zone.missing"));
    this.key.replaceChildren(...(ages ? ageItems() : [missing]));
    if (!this.image.overlay || !this.status) return;
    const asked = new URLSearchParams({ zone_id: this.zoneId,
      ...(!ages && from && { missing_since: from }) });
    const wanted = (this.wanted = String(asked));
    await this.image.load(asked, "no-cache", () => wanted !== this.wanted);
  }
}

function saysOf(/** @type {ZoneStatus} */ { cells_covered, cells_total, window_from }) {
  const n = cells_total - cells_covered, time = window_from ? words.time(window_from) : "";
  return words.say(n ? "zone.cells_left" : "zone.cells_none", { n, total: cells_total, time });
}
