// @ts-check
// One bike: its state now, and one of its days.
import { AlertList, followAlerts } from "../alerts/list.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf, goTo, pane, wayOf } from "../map/base.js";
import { button, el, fill, link, nothing, signButton, write, zonePath } from "../page/dom.js";
import { asked, config, keys, live, read, setQuery, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { addDays } from "../page/words.js";
import {
  ageText, Battery, bikeRoute, colorNameOf, distanceText, isLow, keyOf, liveBadge, speedText,
  verdictMark, zoneText,
} from "./facts.js";

const AGAIN_MS = 30_000, REJECTS = 10;

start(async (main) => {
  const { vendor, bike_id } = config.page.params, name = { vendor, bike_id }, key = keyOf(name);
  const now = el("div", "bike-now"), figures = el("div", "bike-day");
  const rejects = el("section", "card");
  const frame = el("div", "day-map"), legend = el("div", "day-legend");
  const back = link("back", "/bikes", "‹ ", words.say("bike.back"));
  keys.bind("Escape", "keys.back",
    () => (history.length > 1 ? history.back() : location.assign("/bikes")));
  const picker = new DayPicker(() => load());
  const show = dayFigures(figures);
  main.replaceChildren(
    el("section", "panel detail bike-side",
      el("div", "", back, el("h1", "bike-title", bike_id, el("small", "", vendor))), now,
      el("div", "day-head", el("h2", "", words.say("day.title")), picker.node),
      figures, alertsOf(key), rejects),
    el("section", "bike-map", frame, legend),
  );
  const state = new BikeNow(now), map = new DayMap(frame, legend);
  /** @type {Bike | null} */ let bike = null;
  /** @type {DayFigures | null} */ let day = null;
  function render() {
    if (day) show(day); // zones' names may have come
    if (!bike) return;
    state.show(bike);
    map.showBike(picker.value === null ? bike : null);
  }

  async function load({ again = false } = {}) {
    const date = picker.value, of = date ? { date } : {};
    try {
      const [found, drawn] = await Promise.all(
        ["/day", "/path"].map((what) => read(bikeRoute(name, what, of))));
      if (date !== picker.value) return; // another day was picked meanwhile
      picker.known(found.date);
      show((day = found));
      await map.show(drawn, { fit: !again });
      render();
    } catch (error) {
      const why = words.say("day.failed", { why: error.message });
      if (date === picker.value && !again) figures.replaceChildren(el("div", "empty", why));
    }
  }

  live.see({ bike: key });
  live.on("bike", (each) => {
    if (keyOf(each) !== key) return;
    bike = each;
    later("bike", render);
  });
  live.on("coverage", () => later("bike", render));
  setInterval(render, 1000);
  try {
    bike = await read(bikeRoute(name));
  } catch (error) {
    const title = error.status === 404 ? words.say("bike.unknown") : error.message;
    main.replaceChildren(nothing(title, key, back));
    return;
  }
  render();
  load();
  showRejects(rejects, name);
  setInterval(() => {
    if (document.hidden) return;
    if (picker.value === null) load({ again: true });
    showRejects(rejects, name);
  }, AGAIN_MS);
});

/** The bike's state now; its nodes are made once. */
class BikeNow {
  battery = new Battery();
  mark = el("span", "mark");
  word = el("b");
  hint = el("p", "dim");
  facts = el("p", "facts");
  low = el("p", "low-note", words.say("bike.low"));

  constructor(/** @type {HTMLElement} */ node) {
    node.replaceChildren(el("div", "bike-state", this.mark, this.word, this.battery.node),
      this.hint, this.facts, this.low);
  }

  show(/** @type {Bike} */ bike) {
    const { liveness, at, accuracy_m, vehicle_state } = bike;
    if (this.liveness !== liveness) this.mark.replaceChildren(liveBadge(liveness));
    this.liveness = liveness;
    write(this.word, words.say(`live.${liveness}`));
    write(this.hint, words.say(`live.${liveness}.hint`));
    this.battery.show(bike);
    this.low.hidden = !isLow(bike);
    const facts = [
      zoneText(bike), speedText(bike), at && words.say("bike.at", { time: words.time(at) }),
      ageText(bike),
      accuracy_m != null && words.say("bike.accuracy", { n: Math.round(accuracy_m) }),
      vehicle_state != null && `${words.say("bike.vehicle_state")} ${vehicle_state}`,
    ];
    write(this.facts, facts.filter((fact) => fact && fact !== "–").join(" · "));
  }
}

/** The open alerts about one bike, by its key. */
function alertsOf(bike) {
  const body = el("div", "rows"), list = new AlertList(body, { empty: "bike.alerts.none" });
  followAlerts((alerts) => list.show(alerts.filter((alert) => alert.bike === bike)));
  return el("section", "card", el("h2", "", words.say("bike.alerts")), body);
}

/** The latest rejected messages of a bike, for the engineer who must correct them. */
async function showRejects(node, name) {
  const asked = new URLSearchParams({ ...name, limit: String(REJECTS) });
  const rejects = await read(`/rejects?${asked}`).then((answer) => answer.rejects, () => null);
  const empty = rejects ? words.say("bike.rejects.none") : words.say("bike.rejects.failed");
  fill(node, el("h2", "", words.say("bike.rejects")), rejects?.map(rejectRow),
    !rejects?.length && el("p", "dim", empty));
}

function rejectRow({ payload, reason, received_at, detail, index, topic, count }) {
  const code = el("code", { className: "payload", tabIndex: 0 }, payload); // it scrolls
  return el("div", "reject",
    el("div", "", el("b", "", words.say(`reject.${reason}`)), " ", el("code", "dim", reason),
      el("time", "dim", words.time(received_at))),
    el("p", "", detail,
      index == null ? "" : words.say("bike.rejects.item", { n: index + 1 }),
      count > 1 && words.say("bike.rejects.more", { n: count - 1 })),
    el("small", "", topic), code);
}

/** Shows the figures of a day, and again where they are others. */
function dayFigures(node) {
  let shown = "";
  return (/** @type {DayFigures} */ day) => {
    const said = JSON.stringify(day) + words.zones.size; // zones' names may have come
    if (said === shown) return;
    shown = said;
    fill(node, figuresOf(day), explained(day), section("day.zones", zonesOf(day)),
      section("day.verdicts", verdictsOf(day)));
  };
}

function section(key, child) {
  return el("section", "card", el("h2", "", words.say(key)), child);
}

function figuresOf(day) {
  const figure = (key, text) => el("div", "", el("b", "", text), el("span", "", words.say(key)));
  const number = (value) => (value == null ? "–" : String(value));
  return el("div", "day-figures",
    figure("day.distance", distanceText(day.distance_m)), figure("day.cells", number(day.cells)),
    figure("day.first", number(day.cells_first)),
    figure("day.redundant", words.percent(day.redundant_share)));
}

function explained({ cells, cells_first, redundant_share }) {
  const says = (key, values = {}) => el("p", "dim", words.say(key, values));
  if (cells == null) return says("day.cells.unknown");
  if (redundant_share == null) return says("day.redundant.none");
  return says("day.redundant.why", { all: cells, again: cells - cells_first });
}

/** The zones it was in for longest first. */
function zonesOf({ zones }) {
  if (!zones.length) return el("p", "dim", words.say("day.zones.none"));
  const sorted = zones.toSorted((a, b) => b.time_s - a.time_s), most = sorted[0].time_s;
  return el("div", "bars", sorted.map(({ zone_id, time_s, cells }) => {
    const style = { width: `${100 * (time_s / most || 0)}%` };
    return el("div", "bar-row", link("", zonePath(zone_id), words.zone(zone_id)),
      el("span", "bar", el("i", { className: "fill", style })),
      el("span", "number", words.duration(time_s)),
      el("span", "number", cells == null ? "" : words.say("unit.cells", { n: cells })));
  }));
}

function verdictsOf({ verdicts }) {
  const found = Object.entries(verdicts).sort((a, b) => b[1] - a[1]);
  if (!found.length) return el("p", "dim", words.say("day.verdicts.none"));
  const all = found.reduce((sum, [, fixes]) => sum + fixes, 0);
  return el("dl", "verdicts", ...found.map(([verdict, fixes]) => {
    const part = fixes / all; // a few of many are not none of them
    const share = part > 0 && part < 0.01 ? "<1%" : words.percent(part);
    const figures = `${fixes.toLocaleString(words.config.lang)} · ${share}`;
    return el("div", { data: { verdict } },
      el("dt", "", verdictMark(verdict), words.say(`verdict.${verdict}`),
        el("b", "number", figures)),
      el("dd", "dim", words.say(`verdict.${verdict}.hint`)));
  }));
}

/** Which local day is looked at: today, which goes on, or one that is over. */
class DayPicker {
  value = asked("date", /^\d{4}-\d\d-\d\d$/); // null for today, whichever day that is by then
  /** @type {string | null} null until it is known */ today = null;
  input = el("input", { type: "date", ariaLabel: words.say("day.pick") });

  constructor(/** @type {() => void} */ onPick) {
    this.onPick = onPick;
    const step = (sign, by, key) => {
      const press = () => this.step(by);
      keys.bind(by < 0 ? "[" : "]", key, press);
      return signButton("button", sign, words.say(key), press);
    };
    const before = step("‹", -1, "day.before");
    this.after = step("›", 1, "day.after");
    this.now = button("button", words.say("day.today"), () => this.pick(null));
    this.input.addEventListener("change", () => this.input.value && this.pick(this.input.value));
    this.node = el("div", "day-picker", before, this.input, this.after, this.now);
  }

  /** Takes the date of the API's answer, which also tells which day today is. */
  known(date) {
    if (this.value === null) this.input.max = this.today = date;
    if (document.activeElement !== this.input) this.input.value = date;
    this.after.disabled = this.now.disabled = this.value === null;
  }

  step(by) {
    if (this.today === null || (by > 0 && this.value === null)) return;
    this.pick(addDays(this.value ?? this.today, by));
  }

  pick(/** @type {string | null} */ date) {
    this.value = date === null || date >= (this.today ?? "") ? null : date;
    this.input.value = date ?? this.today ?? "";
    setQuery({ date: this.value });
    this.onPick();
  }
}

const tip = (...children) => el("div", "day-tip", ...children);

/** A day of a bike on the map: its path, where it parked, what was not believed, its cells. */
class DayMap {
  /** @type {BikePath | null} */ drawn = null;
  /** @type {L.GeoJSON | null} */ zones = null;
  /** @type {L.CircleMarker | null} */ bike = null;
  made = false;
  said = "";

  constructor(/** @type {HTMLElement} */ element, /** @type {HTMLElement} */ legend) {
    this.legend = legend;
    this.map = baseMap(element);
    pane(this.map, "day-cells", 350);
    pane(this.map, "day-path", 420);
    pane(this.map, "day-marks", 430);
    this.cells = { pane: "day-cells", renderer: L.canvas({ pane: "day-cells" }),
      interactive: false };
    this.line = { pane: "day-path", interactive: false };
    this.marks = { pane: "day-marks" };
    this.day = L.featureGroup().addTo(this.map);
    this.ready = this.place();
    addEventListener("themechange", () => this.drawn && this.draw(this.drawn, false));
  }

  /** Goes to where the zones are. */
  async place() {
    const zones = await read("/zones?coverage=false").catch(() => null);
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

  async show(/** @type {BikePath} */ day, { fit }) {
    await this.ready;
    const said = JSON.stringify(day);
    if (said === this.said) return;
    this.said = said;
    this.drawn = day;
    this.draw(day, fit);
  }

  /** Where it is now; nothing on a day that is over. @param {Bike | null} bike */
  showBike(bike) {
    if (!this.made) return;
    if (!bike || bike.lat == null || bike.lng == null) {
      this.bike?.remove();
      this.bike = null;
      return;
    }
    const place = L.latLng(bike.lat, bike.lng);
    this.bike ??= L.circleMarker(place,
      { ...this.marks, className: "day-bike", radius: 7, weight: 2, fillOpacity: 1 })
      .bindTooltip("", { direction: "top", offset: [0, -6] }).addTo(this.map);
    this.bike.setTooltipContent(
      tip(el("b", "", bike.bike_id), el("div", "", ageText(bike))));
    this.bike.setStyle({ color: colorOf("halo"), fillColor: colorOf("bike") })
      .setLatLng(place).bringToFront();
  }

  /** @param {BikePath} day @param {boolean} fit */
  draw({ path, stops, rejected, rejected_total, cells, cell }, fit) {
    this.day.clearLayers();
    this.outline();
    if (cells) this.drawCells(cells, cell);
    if (path.length) wayOf(path, "accent", 3, this.line).addTo(this.day);
    for (const stop of stops) {
      const [from, to] = [stop.from, stop.to].map((at) => words.time(at));
      this.mark(stop, "parked", 6, () =>
        tip(el("b", "", verdictMark("parked"), words.say("day.map.stopped", { from, to }))));
    }
    const { timestamps, lat, lng, verdicts } = rejected;
    verdicts.forEach((verdict, i) => this.mark({ lat: lat[i], lng: lng[i] }, verdict, 4, () =>
      tip(el("b", "", verdictMark(verdict), words.say(`verdict.${verdict}`)),
        el("div", "", words.time(timestamps[i])),
        el("div", "dim", words.say(`verdict.${verdict}.hint`)))));
    this.drawLegend(verdicts, rejected_total);
    this.map.invalidateSize();
    if (fit) goTo(this.map, this.day.getBounds());
  }

  drawCells({ lat: lats, lng: lngs, first: firsts }, [high, wide]) {
    lats.forEach((lat, i) => {
      const lng = lngs[i], first = firsts[i];
      L.rectangle([[lat - high / 2, lng - wide / 2], [lat + high / 2, lng + wide / 2]], {
        ...this.cells, weight: 1, color: colorOf(first ? "compliant" : "dim"),
        opacity: 0.5, fillOpacity: first ? 0.3 : 0.12,
      }).addTo(this.day);
    });
  }

  mark({ lat, lng }, verdict, radius, told) {
    L.circleMarker([lat, lng], { ...this.marks, className: `day-mark day-mark-${verdict}`, radius,
      color: colorOf("halo"), weight: 1.5, fillColor: colorOf(colorNameOf(verdict)),
      fillOpacity: 1 })
      .bindTooltip(told, { direction: "top", offset: [0, -4] }).addTo(this.day);
  }

  drawLegend(rejected, total) {
    const item = (...children) => el("span", "item", ...children);
    const swatch = (name) => item(el("i", `swatch swatch-${name}`), words.say(`day.map.${name}`));
    const verdicts = [...new Set(rejected)]
      .map((verdict) => item(verdictMark(verdict), words.say(`verdict.${verdict}`)));
    const n = rejected.length, some = words.say("day.map.some", { n, all: total });
    fill(this.legend, swatch("path"), swatch("first"), swatch("again"),
      item(verdictMark("parked"), words.say("day.map.stop")),
      n > 0 && item(words.say("day.map.rejected"), ":"), verdicts, n < total && item(some));
  }
}
