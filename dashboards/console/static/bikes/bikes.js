// @ts-check
// The fleet: every bike with its state now and its figures of today.
import { button, el } from "../page/dom.js";
import { keys, live, setQuery, start, words } from "../page/frame.js";
import { bindSteps, LongList, stepFrom } from "../page/lists.js";
import { later } from "../page/live.js";
import { isLow, keyOf, liveBadge, LIVENESS, pageOf, zoneText } from "./facts.js";
import { BikeRow, COLUMNS, DayPages, order } from "./rows.js";

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
