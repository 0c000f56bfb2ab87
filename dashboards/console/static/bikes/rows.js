// @ts-check
// The columns of the fleet, and a row of it. A row is filled many times and makes no nodes then.
import { el, link, write } from "../page/dom.js";
import { read, words } from "../page/frame.js";
import {
  ageText, Battery, distanceText, keyOf, liveBadge, LIVENESS, pageOf, percentText, speedText,
  zoneText,
} from "./facts.js";

const EVERY_MS = 30_000, PAGE = 100;
const texts = new Intl.Collator(undefined, { numeric: true });

/** @type {Record<string, BikeColumn>} */
export const COLUMNS = {
  id: { of: (bike) => bike.bike_id },
  state: { of: (bike) => LIVENESS.indexOf(bike.liveness) },
  zone: { of: (bike) => (bike.zone_id == null ? null : zoneText(bike)) },
  speed: { of: (bike) => (bike.liveness === "live" ? bike.speed_mps : null), large: true },
  battery: { of: (bike) => bike.battery_percent },
  age: { of: ({ at }) => (at ? -Date.parse(String(at)) : null), large: true },
  distance: { of: (_, day) => day?.distance_m, day: true, large: true },
  cells: { of: (_, day) => day?.cells, day: true, large: true },
  redundant: { of: (_, day) => day?.redundant_share, day: true, large: true },
};

/** How bikes are sorted by a column; `dayOf` gives a bike's day. */
export function order({ column, down }, dayOf) {
  const { of } = COLUMNS[column], sign = down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [of(a, dayOf(a)), of(b, dayOf(b))];
    const found = x == null || y == null ? Number(x == null) - Number(y == null)
      : sign * (typeof x === "string" ? texts.compare(x, String(y)) : x - Number(y));
    return found || texts.compare(a.bike_id, b.bike_id) || texts.compare(a.vendor, b.vendor);
  };
}

export class BikeRow {
  link = link("bike-link", "");
  vendor = el("small");
  battery = new Battery();
  mark = el("span", "mark");
  state = el("span", "word");
  /** @type {Record<string, HTMLElement>} */ texts = {};

  constructor() {
    const cell = (name, ...children) =>
      el("span", { className: `cell cell-${name}`, role: "gridcell" }, children);
    const text = (name) => (this.texts[name] = cell(name));
    this.node = el("div", { className: "bike-row", role: "row" },
      cell("id", el("span", "two", this.link, this.vendor)),
      this.stateCell = cell("state", this.mark, this.state), text("zone"), text("speed"),
      cell("battery", this.battery.node), text("age"),
      text("distance"), text("cells"), text("redundant"));
  }

  fill(bike, day, selected) {
    const { node } = this;
    if (this.shown !== bike) this.fillLive(bike);
    this.write("zone", zoneText(bike));
    this.write("age", ageText(bike));
    this.write("distance", distanceText(day?.distance_m));
    this.write("cells", day?.cells == null ? "–" : String(day.cells));
    this.write("redundant", words.percent(day?.redundant_share));
    if (node.ariaSelected !== String(selected)) node.ariaSelected = String(selected);
  }

  fillLive(bike) {
    this.shown = bike;
    const { node } = this;
    if (node.dataset.bike !== keyOf(bike)) {
      node.dataset.bike = keyOf(bike);
      this.link.textContent = bike.bike_id;
      this.link.href = pageOf(bike);
      this.vendor.textContent = bike.vendor;
    }
    if (node.dataset.live !== bike.liveness) {
      node.dataset.live = bike.liveness;
      this.mark.replaceChildren(liveBadge(bike.liveness));
      this.state.textContent = words.say(`live.${bike.liveness}`);
      this.stateCell.title = words.say(`live.${bike.liveness}.hint`);
    }
    this.battery.show(bike);
    this.write("speed", speedText(bike));
  }

  write(name, text) {
    write(this.texts[name], text);
  }
}

/** Figures of today: the pages of GET /bikes/days that are in sight, read again each half minute.
 */
export class DayPages {
  /** @type {Map<string, DayFigures>} */ days = new Map();
  /** @type {Map<string, number>} */ begun = new Map();
  /** @type {string[]} cursors */ wanted = [];
  busy = false;

  /** @param {(ok: boolean) => void} onChange called after each page: whether it could be read */
  constructor(onChange) {
    this.onChange = onChange;
    setInterval(() => this.work(), 1000);
  }


  // All who look at a fleet ask for the same pages, and the server works each out once.
  /** @param {string[]} all as the API sorts the fleet @param {string[]} keys in sight */
  want(all, keys) {
    const at = new Map(all.map((key, i) => [key, Math.floor(i / PAGE)]));
    const pages = new Set(keys.map((key) => at.get(key) ?? 0));
    this.wanted = [...pages].sort((a, b) => a - b)
      .map((page) => (page ? all[page * PAGE - 1] : ""));
    this.work();
  }

  async work() {
    if (this.busy || document.hidden) return;
    this.busy = true;
    for (const cursor of this.wanted) {
      if (performance.now() - (this.begun.get(cursor) ?? -EVERY_MS) < EVERY_MS) continue;
      this.begun.set(cursor, performance.now());
      await this.load(cursor);
    }
    this.busy = false;
  }

  async load(cursor) {
    const asked = new URLSearchParams({ limit: String(PAGE), ...(cursor && { cursor }) });
    try {
      const { days } = await read(`/bikes/days?${asked}`);
      for (const day of days) this.days.set(keyOf(day), day);
      this.onChange(true);
    } catch {
      this.onChange(false);
    }
  }
}
