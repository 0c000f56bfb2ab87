// @ts-check
// What a bike did on a day, in figures and in words.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf } from "../map/base.js";
import { el } from "../page/dom.js";
import { keys, read, words } from "../page/frame.js";
import { ageText, colorNameOf, distanceText, verdictMark } from "./facts.js";

export class BikeDay {
  constructor(node) {
    this.node = node;
  }

  show(day) {
    const said = JSON.stringify(day) + words.zones.size; // zones' names may have come
    if (said === this.said) return;
    this.said = said;
    this.node.replaceChildren(figuresOf(day), explained(day), section("day.zones", zonesOf(day)), section("day.verdicts", verdictsOf(day)));
  }
}

function section(key, ...children) {
  return el("section", "card", el("h2", "", words.say(key)), ...children);
}

function figuresOf(day) {
  const figure = (key, text) => el("div", "", el("b", "", text), el("span", "", words.say(key)));
  const number = (value) => (value == null ? "–" : String(value));
  return el("div", "day-figures", figure("day.distance", distanceText(day.distance_m)), figure("day.cells", number(day.cells)),
    figure("day.first", number(day.cells_first)), figure("day.redundant", words.percent(day.redundant_share)));
}

function explained(day) {
  if (day.cells == null) return el("p", "dim", words.say("day.cells.unknown"));
  if (day.redundant_share == null) return el("p", "dim", words.say("day.redundant.none"));
  return el("p", "dim", words.say("day.redundant.why", { all: day.cells, again: day.cells - day.cells_first }));
}

// The zones it was in for longest first.
function zonesOf(day) {
  if (!day.zones.length) return el("p", "dim", words.say("day.zones.none"));
  const most = Math.max(...day.zones.map((zone) => zone.time_s));
  return el("div", "bars", ...[...day.zones].sort((a, b) => b.time_s - a.time_s).map(({ zone_id, time_s, cells }) => {
    const zone = words.zones.get(zone_id);
    const link = el("a", "", zone ? words.zoneName(zone) : zone_id);
    link.href = `/zones/${encodeURIComponent(zone_id)}`;
    return barRow(link, time_s / most, words.duration(time_s), cells == null ? "" : words.say("unit.cells", { n: cells }));
  }));
}

function barRow(name, share, ...texts) {
  const fill = el("i", "fill");
  fill.style.width = `${100 * (share || 0)}%`;
  return el("div", "bar-row", name, el("span", "bar", fill), ...texts.map((text) => el("span", "number", text)));
}

function verdictsOf(day) {
  const found = Object.entries(day.verdicts).sort((a, b) => b[1] - a[1]);
  if (!found.length) return el("p", "dim", words.say("day.verdicts.none"));
  const all = found.reduce((sum, [, fixes]) => sum + fixes, 0);
  return el("dl", "verdicts", ...found.map(([verdict, fixes]) => {
    const item = el("div", "", el("dt", "", verdictMark(verdict), words.say(`verdict.${verdict}`),
      el("b", "number", `${fixes.toLocaleString(words.config.lang)} · ${share(fixes / all)}`)), el("dd", "dim", words.say(`verdict.${verdict}.hint`)));
    item.dataset.verdict = verdict;
    return item;
  }));
}

// A few of many are not none of them.
function share(ratio) {
  return ratio > 0 && ratio < 0.01 ? "<1%" : words.percent(ratio);
}

// Which local day is looked at: today, which goes on, or one that is over.

const DAY_MS = 86_400_000;

export class DayPicker {
  // `value` is null for today, whichever day that is by then.
  constructor(onPick) {
    Object.assign(this, { onPick, value: null, today: null });
    this.input = el("input");
    this.input.type = "date";
    this.input.setAttribute("aria-label", words.say("day.pick"));
    this.now = this.button(words.say("day.today"), () => this.pick(null));
    this.before = this.button("‹", () => this.step(-1), "day.before");
    this.after = this.button("›", () => this.step(1), "day.after");
    this.input.addEventListener("change", () => this.input.value && this.pick(this.input.value));
    keys.bind("[", "day.before", () => this.step(-1)).bind("]", "day.after", () => this.step(1));
    this.node = el("div", "day-picker", this.before, this.input, this.after, this.now);
  }

  isToday() {
    return this.value === null;
  }

  // What the API said the day is that was asked for; asked for today, that is how today is known.
  known(date) {
    if (this.isToday()) this.input.max = this.today = date;
    if (document.activeElement !== this.input) this.input.value = date;
    this.after.disabled = this.now.disabled = this.isToday();
  }

  step(by) {
    if (this.today === null || (by > 0 && this.isToday())) return;
    const at = Date.parse(`${this.value ?? this.today}T00:00:00Z`) + by * DAY_MS;
    this.pick(new Date(at).toISOString().slice(0, 10));
  }

  pick(date) {
    this.value = date === null || date >= this.today ? null : date;
    this.input.value = date ?? this.today;
    this.onPick();
  }

  button(text, act, title) {
    const button = el("button", "button", text);
    button.type = "button";
    if (title) button.title = button.ariaLabel = words.say(title);
    button.addEventListener("click", act);
    return button;
  }
}

// A day of a bike on the map: its path, where it parked, what was not believed, its cells.

const tip = (...children) => el("div", "day-tip", ...children);
const moment = (at) => words.time(typeof at === "number" ? new Date(at).toISOString() : at);

export class DayMap {
  constructor(element, legend) {
    Object.assign(this, { element, legend });
    this.ready = this.make();
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
