// @ts-check
// The fleet: every bike with its state now and its figures of today.
import { button, el, link, write } from "../page/dom.js";
import { keys, live, read, setQuery, start, words } from "../page/frame.js";
import { bindSteps, LongList, stepFrom } from "../page/lists.js";
import { later } from "../page/live.js";
import {
  ageText, Battery, distanceText, isLow, keyOf, liveBadge, LIVENESS, pageOf, percentText, speedText,
  zoneText,
} from "./facts.js";

const ARRANGE_MS = 1000;
const AT_REST_MS = 5000; // nothing changes its place under a pointer that has just moved
const SHOWN = ["", ...LIVENESS.toReversed(), "low"];

start(async (main) => {
  const query = new URLSearchParams(location.search);
  const asked = (name, known, otherwise) =>
    (known.includes(query.get(name)) ? String(query.get(name)) : otherwise);
  /** @type {Map<string, Bike>} */ const bikes = new Map();
  /** @type {WeakMap<Element, BikeRow>} */ const rows = new WeakMap();
  const says = words.say("bikes.find"), any = words.say("bikes.any_vendor");
  const find = el("input", { className: "find", type: "search", maxLength: 100,
    placeholder: says, ariaLabel: says, value: query.get("q") ?? "" });
  const vendor = el("select", { className: "filter", ariaLabel: any }, new Option(any, ""));
  const chips = el("div", "chips"), count = el("span", "count"), body = el("div", "rows long");
  const head = el("div", { className: "bike-row head", role: "row" });
  const notice = el("p", { className: "panel-note", hidden: true });
  const nothing = el("div", { className: "empty", hidden: true });
  let sort = { column: asked("sort", Object.keys(COLUMNS), "id"), down: query.has("down") };
  let shown = asked("show", SHOWN, "");
  /** @type {string[]} */ let all = [];
  /** @type {Set<string> | null} */ let heard = null;
  let selected = "", moved = -AT_REST_MS;
  const grid = el("div", { className: "grid", role: "grid", ariaLabel: words.say("page.bikes") },
    head, body, nothing);
  const title = el("div", "panel-head", el("h1", "", words.say("page.bikes")), count, chips,
    el("span", "space"), find, vendor);
  main.replaceChildren(el("section", "panel list", title, notice, grid));
  const days = new DayPages((ok) => {
    notice.hidden = ok;
    notice.textContent = ok ? "" : words.say("bikes.days_failed");
    list.drawLater();
    if (COLUMNS[sort.column].day) arrangeLater();
  });
  const list = new LongList(body, {
    make() {
      const row = new BikeRow();
      rows.set(row.node, row);
      return row.node;
    },
    fill: (node, key) => rows.get(node)?.fill(bikes.get(key), days.days.get(key), key === selected),
  });

  const heads = Object.entries(COLUMNS).map(([name, { large }]) => {
    const is = { className: `cell cell-${name}${large ? " right" : ""}`, role: "columnheader",
      title: words.say("bikes.sort") };
    const press = button(is, words.say(`bikes.${name}`), () => {
      // Large figures are asked for first, names from the beginning.
      sort = { column: name, down: sort.column === name ? !sort.down : Boolean(large) };
      changed();
    });
    press.append(el("i", "arrow"));
    head.append(press);
    return { name, press };
  });

  const buttons = SHOWN.map((name) => {
    const figure = el("b", "", "0"), lives = LIVENESS.includes(name);
    const text = words.say(name === "low" ? "bikes.low" : name ? `live.${name}` : "bikes.all");
    const title = lives ? words.say(`live.${name}.hint`) : "";
    const press = button({ className: "chip", title, data: { show: name } }, text, () => {
      shown = name;
      changed();
    });
    if (name) press.prepend(lives ? liveBadge(name) : el("span", "low-sign", "!"));
    press.append(figure);
    chips.append(press);
    return { name, press, figure };
  });
  const isShown = (bike, name) => !name || (name === "low" ? isLow(bike) : bike.liveness === name);
  function isFound(/** @type {Bike} */ bike) {
    const text = find.value.trim().toLowerCase();
    const names = [bike.bike_id, bike.vendor, bike.zone_id ?? "", zoneText(bike)];
    return (!vendor.value || bike.vendor === vendor.value)
      && names.some((each) => each.toLowerCase().includes(text));
  }

  function arrange() {
    const found = [...bikes.values()].filter(isFound);
    for (const { name, press, figure } of buttons) {
      figure.textContent = String(found.filter((bike) => isShown(bike, name)).length);
      press.setAttribute("aria-pressed", String(name === shown));
    }
    const way = sort.down ? "descending" : "ascending";
    for (const { name, press } of heads) press.ariaSort = name === sort.column ? way : "none";
    const there = found.filter((bike) => isShown(bike, shown))
      .sort(order(sort, (bike) => days.days.get(keyOf(bike))));
    list.show(there.map(keyOf));
    const n = there.length, size = bikes.size;
    count.textContent = n === size ? String(n) : words.say("bikes.of", { n, all: size });
    grid.setAttribute("aria-rowcount", String(n + 1));
    nothing.hidden = n > 0;
    const why = !live.said ? "connecting" : size ? "bikes.no_such" : "bikes.empty";
    nothing.textContent = words.say(why);
    wantDays();
  }
  const arrangeLater = () => later("arrange", arrange);
  // Sorting by a day's figure needs all of the fleet's days; otherwise those of the rows in sight.
  const wantDays = () => days.want(all, COLUMNS[sort.column].day ? all : [...list.nodes.keys()]);
  // Takes the roster in the order of the API.
  function enrolled() {
    const cmp = (a, b) => (a < b ? -1 : Number(a > b));
    const sorted = [...bikes.values()]
      .sort((a, b) => cmp(a.vendor, b.vendor) || cmp(a.bike_id, b.bike_id));
    all = sorted.map(keyOf);
    const vendors = [...new Set(sorted.map((bike) => bike.vendor))];
    const before = [...vendor.options].slice(1).map((option) => option.value);
    if (vendors.join("\n") !== before.join("\n")) {
      const chosen = vendor.value || query.get("vendor") || "";
      vendor.replaceChildren(vendor.options[0], ...vendors.map((name) => new Option(name, name)));
      vendor.value = vendors.includes(chosen) ? chosen : "";
    }
    vendor.hidden = vendors.length < 2;
    arrangeLater();
  }

  function changed() {
    const { column, down } = sort;
    setQuery({ q: find.value.trim() || null, vendor: vendor.value || null, show: shown || null,
      sort: column === "id" ? null : column, down: down ? "1" : null });
    body.scrollTop = 0;
    arrangeLater();
  }

  function open(key) {
    const bike = bikes.get(key);
    if (bike) location.assign(pageOf(bike));
  }
  find.addEventListener("input", changed);
  find.addEventListener("keydown", ({ key }) => /^(Escape|Enter)$/.test(key) && find.blur());
  vendor.addEventListener("change", changed);
  body.addEventListener("click", ({ target }) =>
    target instanceof Element && !target.closest("a") && open(list.keyAt(target)));
  body.addEventListener("pointermove", () => (moved = performance.now()));
  body.addEventListener("pointerleave", () => (moved = -AT_REST_MS));
  body.addEventListener("scroll", () => later("days", wantDays), { passive: true });
  bindSteps((by) => {
    selected = stepFrom(list.keys, selected, by) ?? "";
    list.reveal(selected);
  });
  keys.bind("Enter", "keys.open", () => open(selected));
  keys.bind("/", "bikes.find", () => find.select());
  live.see({}); // all bikes
  live.on("open", () => (heard = new Set()));
  live.on("bike", (bike) => {
    const key = keyOf(bike), isNew = !bikes.has(key);
    bikes.set(key, bike);
    heard?.add(key);
    if (isNew) later("enrolled", enrolled);
    else list.drawLater();
  });
  // Health is the last of the state that a stream begins with: who was not in it is gone.
  live.on("health", () => {
    if (!heard) return;
    for (const key of bikes.keys()) if (!heard.has(key)) bikes.delete(key);
    heard = null;
    later("enrolled", enrolled);
  });
  live.on("coverage", () => list.drawLater()); // a zone's name may have come
  setInterval(() => (performance.now() - moved > AT_REST_MS ? arrange() : list.draw()), ARRANGE_MS);
  arrange();
});

const EVERY_MS = 30_000, PAGE = 100;
const texts = new Intl.Collator(undefined, { numeric: true });

/** @type {Record<string, BikeColumn>} */
const COLUMNS = {
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
function order({ column, down }, dayOf) {
  const { of } = COLUMNS[column], sign = down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [of(a, dayOf(a)), of(b, dayOf(b))];
    const found = x == null || y == null ? Number(x == null) - Number(y == null)
      : sign * (typeof x === "string" ? texts.compare(x, String(y)) : x - Number(y));
    return found || texts.compare(a.bike_id, b.bike_id) || texts.compare(a.vendor, b.vendor);
  };
}

/** A row of the fleet: it is filled many times, and makes no nodes then. */
class BikeRow {
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

/** Figures of today: the pages of GET /bikes/days in sight, read again each half minute. */
class DayPages {
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
