// @ts-check
// Where in a zone nobody has been in this window; or, switched, how long ago each cell was visited.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, styleOf } from "../map/base.js";
import { el } from "../page/dom.js";
import { config, live, read, repeat, unread, words } from "../page/frame.js";

const EVERY_MS = 30_000;

export class ZoneCells {
  constructor(body, zoneId) {
    const frame = el("div", "zone-map");
    const ages = Object.assign(el("input"), { type: "checkbox" });
    Object.assign(this, { zoneId, ages, says: el("span", "says"), key: el("span", "key") });
    body.append(el("div", "cells-head", this.says, el("span", "space"), el("label", "switch", ages, words.say("zone.ages"))), frame, this.key);
    ages.addEventListener("change", () => this.refresh());
    this.map = baseMap(frame);
    this.map.createPane("cells").style.zIndex = 350;
    new ResizeObserver(() => this.fit()).observe(frame);
    live.on("open", () => this.outline().catch(unread)).on("zones", () => this.outline().catch(unread));
    addEventListener("themechange", () => this.style());
    this.explain();
    repeat(EVERY_MS, () => this.refresh());
  }

  // The zone as it is now; it can be redrawn while the page is open.
  async outline() {
    const collection = await read("/zones");
    const zone = collection.features.find((feature) => feature.id === this.zoneId);
    if (!zone) return;
    this.shape?.remove();
    this.shape = L.geoJSON(zone, { interactive: false }).addTo(this.map);
    const { south, west, north, east } = collection.grid;
    this.overlay ??= L.imageOverlay("", [[south, west], [north, east]], { pane: "cells", className: "cells" });
    this.overlay.setBounds([[south, west], [north, east]]);
    this.style();
    this.fit();
    await this.refresh();
  }

  style() {
    const style = styleOf(this.status?.state);
    this.shape?.setStyle({ ...style, fillOpacity: 0 });
  }

  fit() {
    this.map.invalidateSize();
    if (this.shape) this.map.fitBounds(this.shape.getBounds(), { padding: [18, 18], animate: false });
  }

  update(status) {
    const before = this.status;
    this.status = status;
    this.says.textContent = saysOf(status);
    if (before?.state !== status.state) this.style();
    if (before?.window_from !== status.window_from || before?.cells_covered !== status.cells_covered) this.refresh().catch(unread);
  }

  // The new image is decoded before it replaces the old one, so nothing flickers.
  async refresh() {
    this.explain();
    if (!this.overlay || !this.status) return;
    const asked = new URLSearchParams({ zone_id: this.zoneId });
    if (!this.ages.checked && this.status.window_from) asked.set("missing_since", this.status.window_from);
    const path = `/api/v1/cells.png?${asked}`;
    this.wanted = path;
    const answer = await fetch(path, { cache: "no-cache" }).catch(() => null);
    const tag = `${path} ${answer?.headers.get("etag")}`;
    if (!answer?.ok || tag === this.tag) return;
    const url = URL.createObjectURL(await answer.blob());
    await Object.assign(new Image(), { src: url }).decode();
    if (path !== this.wanted) return URL.revokeObjectURL(url); // switched meanwhile
    this.overlay.setUrl(url).addTo(this.map);
    if (this.url) URL.revokeObjectURL(this.url);
    [this.url, this.tag] = [url, tag];
  }

  // What the colours mean.
  explain() {
    const item = (className, color, text) => {
      const swatch = el("i", `swatch ${className}`);
      if (color) swatch.style.background = color;
      return el("span", "item", swatch, text);
    };
    this.key.replaceChildren(...(this.ages.checked
      ? config.ages.map(({ up_to_s, color }) => item("", color, up_to_s == null ? words.say("legend.older") : words.say("legend.within", { age: words.duration(up_to_s) })))
      : [item("missing", "", words.say("zone.missing"))]));
  }
}

function saysOf({ cells_covered, cells_total, window_from }) {
  const values = { n: cells_total - cells_covered, total: cells_total, time: window_from ? words.time(window_from) : "" };
  return words.say(values.n ? "zone.cells_left" : "zone.cells_none", values);
}
