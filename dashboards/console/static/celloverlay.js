// The cells by age, as one image over the map: of now, or of an instant of the past.
import { leaflet as L } from "nicegui-leaflet";
import { Newest } from "./newest.js";

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
