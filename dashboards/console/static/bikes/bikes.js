// @ts-check
// The fleet: every bike with its state now and what it did today.
import { el } from "../page/dom.js";
import { keys, live, start, words } from "../page/frame.js";
import { LongList } from "../page/lists.js";
import { later } from "../page/live.js";
import { isLow, keyOf, liveBadge, LIVENESS, pageOf, zoneText } from "./facts.js";
import { BikeRow, COLUMNS, DayPages, order } from "./rows.js";

const ARRANGE_MS = 1000;
const AT_REST_MS = 5000; // nothing changes its place under a pointer that has just moved
const SHOWN = ["", ...LIVENESS.toReversed(), "low"];

start(async (main) => {
  const query = new URLSearchParams(location.search);
  const bikes = new Map(), rows = new WeakMap();
  const find = el("input", "find"), vendor = el("select", "filter"), chips = el("div", "chips"), count = el("span", "count");
  const head = el("div", "bike-row head"), body = el("div", "rows long"), notice = el("p", "panel-note"), nothing = el("div", "empty");
  let sort = { column: query.get("sort") in COLUMNS ? query.get("sort") : "id", down: query.has("down") };
  let shown = SHOWN.includes(query.get("show")) ? query.get("show") : "";
  let all = [], selected = null, heard = null, moved = -AT_REST_MS;

  find.type = "search";
  find.placeholder = words.say("bikes.find");
  find.maxLength = 100;
  find.value = query.get("q") ?? "";
  for (const [node, name] of [[find, "bikes.find"], [vendor, "bikes.any_vendor"]]) node.setAttribute("aria-label", words.say(name));
  vendor.append(new Option(words.say("bikes.any_vendor"), ""));
  notice.hidden = nothing.hidden = true;
  const grid = el("div", "grid", head, body, nothing);
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", words.say("page.bikes"));
  main.replaceChildren(el("section", "panel list",
    el("div", "panel-head", el("h1", "", words.say("page.bikes")), count, chips, el("span", "space"), find, vendor), notice, grid));

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
    fill: (node, key) => rows.get(node).fill(bikes.get(key), days.get(key), key === selected),
  });

  const heads = Object.entries(COLUMNS).map(([name, { right, large }]) => {
    const button = el("button", `cell cell-${name}${right ? " right" : ""}`, words.say(`bikes.${name}`), el("i", "arrow"));
    button.type = "button";
    button.title = words.say("bikes.sort");
    button.setAttribute("role", "columnheader");
    button.addEventListener("click", () => {
      // Large figures are asked for first, names from the beginning.
      sort = sort.column === name ? { column: name, down: !sort.down } : { column: name, down: Boolean(large) };
      changed();
    });
    return [name, button];
  });
  head.setAttribute("role", "row");
  head.append(...heads.map(([, button]) => button));

  const buttons = SHOWN.map((name) => {
    const figure = el("b", "", "0");
    const button = el("button", "chip", ...(LIVENESS.includes(name) ? [liveBadge(name)] : name ? [el("span", "low-sign", "!")] : []),
      words.say(name === "low" ? "bikes.low" : name ? `live.${name}` : "bikes.all"), figure);
    button.type = "button";
    button.dataset.show = name;
    if (LIVENESS.includes(name)) button.title = words.say(`live.${name}.hint`);
    button.addEventListener("click", () => {
      shown = name;
      changed();
    });
    chips.append(button);
    return { name, button, figure };
  });

  const isShown = (bike, name) => !name || (name === "low" ? isLow(bike) : bike.liveness === name);

  function isFound(bike) {
    const asked = find.value.trim().toLowerCase();
    return (!vendor.value || bike.vendor === vendor.value) &&
      (!asked || [bike.bike_id, bike.vendor, bike.zone_id ?? "", zoneText(bike)].some((text) => text.toLowerCase().includes(asked)));
  }

  function arrange() {
    const found = [...bikes.values()].filter(isFound);
    for (const { name, button, figure } of buttons) {
      figure.textContent = found.filter((bike) => isShown(bike, name)).length;
      button.setAttribute("aria-pressed", name === shown);
    }
    for (const [name, button] of heads) {
      button.setAttribute("aria-sort", name !== sort.column ? "none" : sort.down ? "descending" : "ascending");
    }
    const there = found.filter((bike) => isShown(bike, shown)).sort(order(sort, (bike) => days.get(keyOf(bike))));
    list.show(there.map(keyOf));
    count.textContent = there.length === bikes.size ? bikes.size : words.say("bikes.of", { n: there.length, all: bikes.size });
    grid.setAttribute("aria-rowcount", there.length + 1);
    nothing.hidden = there.length > 0;
    nothing.textContent = words.say(!live.said ? "connecting" : bikes.size ? "bikes.no_such" : "bikes.empty");
    wantDays();
  }

  const arrangeLater = () => later("arrange", arrange);

  // Who sorts by a day's figure needs the whole fleet's; who looks at rows needs those of the rows.
  function wantDays() {
    days.want(all, COLUMNS[sort.column].day ? all : list.inSight());
  }

  // Whoever is on the roster, as the API sorts them.
  function enrolled() {
    const cmp = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    all = [...bikes.values()].sort((a, b) => cmp(a.vendor, b.vendor) || cmp(a.bike_id, b.bike_id)).map(keyOf);
    const vendors = [...new Set([...bikes.values()].map((bike) => bike.vendor))].sort();
    if (vendors.join("\n") !== [...vendor.options].slice(1).map((option) => option.value).join("\n")) {
      const chosen = vendor.value || query.get("vendor") || "";
      vendor.replaceChildren(vendor.options[0], ...vendors.map((name) => new Option(name, name)));
      vendor.value = vendors.includes(chosen) ? chosen : "";
    }
    vendor.hidden = vendors.length < 2;
    arrangeLater();
  }

  function changed() {
    const asked = new URLSearchParams();
    const values = { q: find.value.trim(), vendor: vendor.value, show: shown, sort: sort.column === "id" ? "" : sort.column, down: sort.down ? "1" : "" };
    for (const [name, value] of Object.entries(values)) if (value) asked.set(name, value);
    history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
    body.scrollTop = 0;
    arrangeLater();
  }

  function move(by) {
    const at = list.keys.indexOf(selected);
    if (!list.keys.length) return;
    selected = list.keys[at < 0 ? (by > 0 ? 0 : list.keys.length - 1) : Math.min(Math.max(at + by, 0), list.keys.length - 1)];
    list.reveal(selected);
  }

  const open = (key) => key && location.assign(pageOf(bikes.get(key)));

  find.addEventListener("input", changed);
  find.addEventListener("keydown", (event) => ["Escape", "Enter"].includes(event.key) && find.blur());
  vendor.addEventListener("change", changed);
  body.addEventListener("click", (event) => event.target.closest("a") || open(list.keyAt(event.target)));
  body.addEventListener("pointermove", () => (moved = performance.now()));
  body.addEventListener("pointerleave", () => (moved = -AT_REST_MS));
  body.addEventListener("scroll", () => later("days", wantDays), { passive: true });
  keys.bind("j", "keys.next", () => move(1)).bind("k", "keys.previous", () => move(-1));
  keys.bind("ArrowDown", "keys.next", () => move(1)).bind("ArrowUp", "keys.previous", () => move(-1));
  keys.bind("Enter", "keys.open", () => open(selected)).bind("/", "bikes.find", () => find.select());

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
