// @ts-check
// The fleet: every bike with its state now and its figures of today.
import { button, el, select } from "../page/dom.js";
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
  const find = Object.assign(el("input", "find"), { type: "search", maxLength: 100,
    placeholder: words.say("bikes.find"), value: query.get("q") ?? "" });
  const vendor = select("filter", [{ value: "", text: words.say("bikes.any_vendor") }]);
  const chips = el("div", "chips"), count = el("span", "count");
  const head = el("div", "bike-row head"), body = el("div", "rows long");
  const notice = el("p", "panel-note"), nothing = el("div", "empty");
  let sort = { column: asked("sort", Object.keys(COLUMNS), "id"), down: query.has("down") };
  let shown = asked("show", SHOWN, "");
  /** @type {string[]} */ let all = [];
  /** @type {Set<string> | null} */ let heard = null;
  let selected = "", moved = -AT_REST_MS;

  find.setAttribute("aria-label", words.say("bikes.find"));
  vendor.setAttribute("aria-label", words.say("bikes.any_vendor"));
  notice.hidden = nothing.hidden = true;
  const grid = el("div", "grid", head, body, nothing);
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", words.say("page.bikes"));
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
    fill: (node, key) => rows.get(node)?.fill(bikes.get(key), days.get(key), key === selected),
  });

  head.setAttribute("role", "row");
  const heads = Object.entries(COLUMNS).map(([name, { large }]) => {
    const press = button(`cell cell-${name}${large ? " right" : ""}`, words.say(`bikes.${name}`),
      () => {
        // Large figures are asked for first, names from the beginning.
        sort = { column: name, down: sort.column === name ? !sort.down : Boolean(large) };
        changed();
      });
    press.append(el("i", "arrow"));
    press.title = words.say("bikes.sort");
    press.setAttribute("role", "columnheader");
    head.append(press);
    return { name, press };
  });

  const buttons = SHOWN.map((name) => {
    const figure = el("b", "", "0"), lives = LIVENESS.includes(name);
    const text = words.say(name === "low" ? "bikes.low" : name ? `live.${name}` : "bikes.all");
    const press = button("chip", text, () => {
      shown = name;
      changed();
    });
    if (lives) press.title = words.say(`live.${name}.hint`);
    if (name) press.prepend(lives ? liveBadge(name) : el("span", "low-sign", "!"));
    press.append(figure);
    press.dataset.show = name;
    chips.append(press);
    return { name, press, figure };
  });

  const isShown = (bike, name) => !name || (name === "low" ? isLow(bike) : bike.liveness === name);

  function isFound(/** @type {Bike} */ bike) {
    const text = find.value.trim().toLowerCase();
    const says = [bike.bike_id, bike.vendor, bike.zone_id ?? "", zoneText(bike)];
    return (!vendor.value || bike.vendor === vendor.value)
      && says.some((each) => each.toLowerCase().includes(text));
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
      .sort(order(sort, (bike) => days.get(keyOf(bike))));
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
  const wantDays = () => days.want(all, COLUMNS[sort.column].day ? all : list.inSight());

  // Takes the roster in the order of the API.
  function enrolled() {
    const cmp = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
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
