// A day of a bike on the map: its path, where it parked, what was not believed, its cells.
import { leaflet as L } from "nicegui-leaflet";
import { baseMap, colorOf } from "./basemap.js";
import { ageText } from "./bikefacts.js";
import { leafletStyle, read, words } from "./frame.js";
import { el } from "./page.js";
import { colorNameOf, verdictMark } from "./verdicts.js";

const tip = (...children) => el("div", "day-tip", ...children);
const moment = (at) => words.time(typeof at === "number" ? new Date(at).toISOString() : at);

export class DayMap {
  constructor(element, legend) {
    Object.assign(this, { element, legend });
    this.ready = leafletStyle().then(() => this.make());
    addEventListener("themechange", () => this.drawn && this.draw({ fit: false }));
  }

  async make() {
    this.map = baseMap(this.element);
    for (const [name, level] of [["day-cells", 350], ["day-path", 420], ["day-marks", 430]]) {
      this.map.createPane(name).style.zIndex = level;
    }
    this.cells = { pane: "day-cells", renderer: L.canvas({ pane: "day-cells" }), interactive: false };
    this.line = { pane: "day-path", renderer: L.svg({ pane: "day-path" }), interactive: false };
    this.marks = { pane: "day-marks", renderer: L.svg({ pane: "day-marks" }) };
    this.day = L.featureGroup().addTo(this.map);
    const zones = await read("/zones").catch(() => null);
    if (zones) {
      this.zones = L.geoJSON(zones, { interactive: false }).addTo(this.map);
      this.outline();
      this.map.fitBounds(this.zones.getBounds(), { padding: [14, 14], animate: false });
    } else this.map.setView([0, 0], 2); // until there is something to show
    this.made = true;
  }

  outline() {
    this.zones?.setStyle({ color: colorOf("dim"), weight: 1, opacity: 0.6, fill: false });
  }

  // `day` is an answer of GET /bikes/{bike_id}/path.
  async show(day, { fit }) {
    await this.ready;
    const said = JSON.stringify(day);
    if (said === this.said) return;
    Object.assign(this, { said, drawn: day });
    this.draw({ fit });
  }

  // Where it is now; nothing on a day that is over.
  showBike(bike) {
    if (!this.made) return;
    if (!bike || bike.lat == null) {
      this.bike?.remove();
      this.bike = null;
      return;
    }
    this.bike ??= L.circleMarker([bike.lat, bike.lng], { ...this.marks, className: "day-bike", radius: 7, weight: 2, fillOpacity: 1 })
      .bindTooltip(() => tip(el("b", "", this.now.bike_id), el("div", "", ageText(this.now))), { direction: "top", offset: [0, -6] }).addTo(this.map);
    this.now = bike;
    this.bike.setStyle({ color: colorOf("halo"), fillColor: colorOf("bike") }).setLatLng([bike.lat, bike.lng]).bringToFront();
  }

  draw({ fit }) {
    const { path, stops, rejected, rejected_total, cells, cell } = this.drawn;
    this.day.clearLayers();
    this.outline();
    this.drawCells(cells, cell);
    const line = (color, weight) => L.polyline(path, { ...this.line, className: `day-path-${color}`, color: colorOf(color), weight }).addTo(this.day);
    if (path.length) line("halo", 6), line("accent", 3);
    for (const stop of stops) {
      this.mark(stop, "parked", 6, () => tip(el("b", "", verdictMark("parked"), words.say("day.map.stopped", { from: moment(stop.from), to: moment(stop.to) }))));
    }
    rejected.verdicts.forEach((verdict, i) => {
      this.mark({ lat: rejected.lat[i], lng: rejected.lng[i] }, verdict, 4, () =>
        tip(el("b", "", verdictMark(verdict), words.say(`verdict.${verdict}`)), el("div", "", moment(rejected.timestamps[i])), el("div", "dim", words.say(`verdict.${verdict}.hint`))));
    });
    this.drawLegend(rejected, rejected_total);
    this.map.invalidateSize();
    const bounds = this.day.getBounds();
    if (fit && bounds.isValid()) this.map.fitBounds(bounds, { padding: [24, 24], maxZoom: 16, animate: false });
  }

  drawCells(cells, [high, wide]) {
    cells?.lat.forEach((lat, i) => {
      const lng = cells.lng[i], first = cells.first[i];
      L.rectangle([[lat - high / 2, lng - wide / 2], [lat + high / 2, lng + wide / 2]], {
        ...this.cells, weight: 1, color: colorOf(first ? "compliant" : "dim"),
        opacity: 0.5, fillOpacity: first ? 0.3 : 0.12,
      }).addTo(this.day);
    });
  }

  mark({ lat, lng }, verdict, radius, told) {
    L.circleMarker([lat, lng], { ...this.marks, className: `day-mark day-mark-${verdict}`, radius, color: colorOf("halo"), weight: 1.5, fillColor: colorOf(colorNameOf(verdict)), fillOpacity: 1 })
      .bindTooltip(told, { direction: "top", offset: [0, -4] }).addTo(this.day);
  }

  drawLegend(rejected, total) {
    const item = (name, text) => el("span", "item", el("i", `swatch swatch-${name}`), text);
    const verdicts = [...new Set(rejected.verdicts)].map((verdict) => el("span", "item", verdictMark(verdict), words.say(`verdict.${verdict}`)));
    const shown = rejected.verdicts.length;
    this.legend.replaceChildren(item("path", words.say("day.map.path")), item("first", words.say("day.map.first")), item("again", words.say("day.map.again")),
      el("span", "item", verdictMark("parked"), words.say("day.map.stop")),
      ...(shown ? [el("span", "item", words.say("day.map.rejected"), ":"), ...verdicts] : []),
      ...(shown < total ? [el("span", "item", words.say("day.map.some", { n: shown, all: total }))] : []));
  }
}
