// @ts-check
// Zones are drawn and redrawn here, by an administrator. What is saved is a new version of a zone
// from a moment on; what lies before that moment stays as it was.
import { excludedOn } from "../map/base.js";
import { askFor, momentFields, momentOf } from "../page/dialog.js";
import { button, el, fill, place } from "../page/dom.js";
import { keys, live, read, start, words } from "../page/frame.js";
import { keepWhile } from "../page/session.js";
import { flawsOf } from "../page/words.js";
import { Drawing, effectOf } from "./drawing.js";
import { DrawMap } from "./map.js";
import { areaOf } from "./outline.js";
import { putFile, refusalOf, ZoneCard, zonesAt } from "./versions.js";

const FAR = "2099-12-31"; // what is planned by now is over by then
const NO_GRID = { south: 0, west: 0, north: 0, east: 0, rows: 0, cols: 0 }; // until it is read

start(async (main) => {
  const rows = el("div", "rows"), panel = el("aside", "draw-panel"), frame = el("div", "draw-map");
  const begin = button("button main", words.say("draw.new"), () => draw(null), "n");
  const head = el("div", "panel-head", el("h1", "", words.say("draw.zones")),
    el("span", "space"), button("button", words.say("draw.import"), () => file.click()), begin);
  const file = el("input", { type: "file", onchange: () => bring(file.files?.[0]),
    accept: ".geojson,.json,.kml,.kmz,.zip,.gz" });
  main.replaceChildren(el("p", "draw-small", words.say("draw.desktop")),
    el("section", "panel draw-list", head, rows), frame, panel);
  const map = new DrawMap(frame, (zoneId) => drawing || pick(zoneId));
  const showExcluded = excludedOn(map.map);
  const { policies } = await read("/policies").catch((error) => {
    panel.replaceChildren(el("div", "empty", error.message));
    throw error;
  });
  /** @type {Zones} */ let collection = { features: [], excluded: [], version: 0, grid: NO_GRID };
  /** @type {Zone[]} */ let planned = [];
  /** @type {Drawing | null} */ let drawing = null;
  /** @type {ZoneCard | null} */ let card = null;
  function list() {
    const known = new Set(collection.features.map((feature) => feature.id));
    const all = [...collection.features, ...planned.filter((feature) => !known.has(feature.id))];
    place(rows, all.sort((a, b) => a.id.localeCompare(b.id)).map(rowOf));
  }

  function rowOf(/** @type {Zone} */ { id, geometry, properties }) {
    const area = words.say("draw.area", { n: (areaOf(geometry) / 1e6).toFixed(2) });
    const [now, then] = [collection.features, planned].map((all) =>
      all.find((each) => each.id === id));
    const plan = planOf(now, then);
    const is = { className: "draw-row", data: { zone: id },
      ariaCurrent: String(id === card?.zoneId) };
    const row = button(is, "", () => pick(id));
    return fill(row, el("span", "two", el("b", "", words.zoneName(properties)),
      el("small", "", `${id} · ${properties.policy} · ${area}`)),
    plan && el("span", "plan", words.say(`draw.plan.${plan}`)));
  }

  async function load() {
    const [now, then] = await Promise.all([zonesAt(), zonesAt(FAR)]);
    [collection, planned] = [now, then.features];
    showExcluded(collection);
    list();
    if (drawing) return drawing.showNeighbours();
    map.showZones(collection.features);
    if (card) pick(card.zoneId, { stay: true, said: card.said, before: card });
  }

  // Whether nothing is being drawn any more: what is unsaved is only given up knowingly.
  async function left() {
    if (drawing?.unsaved) {
      const [title, note, go] = ["", ".note", ".go"].map((part) => words.say(`draw.leave${part}`));
      if (!(await askFor({ title, note, go, danger: true }))) return false;
    }
    if (!drawing) return true;
    drawing.end();
    drawing = null;
    map.showZones(collection.features);
    return true;
  }

  /** @param {string} zoneId @param {{stay?: boolean, said?: string, before?: ZoneCard}} how */
  async function pick(zoneId, { stay = false, said = "", before } = {}) {
    if (!(await left())) return;
    const mine = (card = new ZoneCard(
      { map, panel, zoneId, policies, said, onEdit: draw, onChanged: load }));
    list();
    await mine.loaded;
    if (before) mine.choose(before.chosen); // it could be pressed until now
    if (card === mine && !drawing) mine.draw({ stay });
  }

  function idle() {
    card = null;
    map.outline("chosen", null);
    map.outline("older", null);
    panel.replaceChildren(el("div", "empty", words.say("draw.pick")));
    list();
  }

  // Begins with the outline that is shown, or with nothing.
  async function draw(zone, { over = collection.version, planned = false } = {}) {
    if (!(await left())) return;
    if (!zone) idle();
    drawing = new Drawing({
      map, panel, zone, over, planned, policies, grid: collection.grid,
      onCancel: cancel,
      onSaved: async (zoneId, body) => {
        drawing = card = null;
        await load();
        await pick(zoneId, { said: savedText(body, !zone) });
      },
    });
  }

  /** Draws all zones of a file. */
  async function bring(/** @type {File | undefined} */ chosen) {
    file.value = ""; // the same file may be chosen again
    if (!chosen || !(await left())) return;
    const names = policies.map(({ name }) => ({ value: name, text: name }));
    const fates = ["keep", "end"].map((value) =>
      ({ value, text: words.say(`draw.import.${value}`) }));
    /** @type {any} */ let saved = null;
    await askFor({
      title: words.say("draw.import"), note: `${chosen.name}: ${words.say("draw.import.note")}`,
      fields: [
        { name: "policy", label: words.say("draw.import.policy"), type: "choice", options: names,
          value: names[0].value },
        { name: "others", label: words.say("draw.import.others"), type: "choice", options: fates,
          value: "keep" },
        ...momentFields(words.say("draw.when"), "now"),
      ],
      go: words.say("draw.save"),
      send: async ({ policy, others, when, moment }) => {
        const from = momentOf(when, moment), alone = String(others === "end");
        const asked = { policy, alone, ...(from && { valid_from: from }) };
        const answer = await putFile(chosen, asked, collection.version);
        saved = answer?.body;
        return refusalOf(answer);
      },
    });
    if (!saved?.zone_ids) return;
    await load();
    idle();
    panel.prepend(el("p", "fine", words.prose(
      words.say("draw.imported", { n: saved.zone_ids.length }), savedText(saved, true))));
    map.fit(collection.features);
  }

  async function cancel() {
    const zoneId = card?.zoneId;
    if (!drawing || drawing.leaveRing() || !(await left())) return;
    if (zoneId) pick(zoneId, { stay: true });
    else idle();
  }
  keys.bind("n", "draw.new", () => draw(null));
  keys.bind("e", "draw.edit", () => !drawing && card?.edit());
  keys.bind("h", "draw.ring", () => drawing?.addRing());
  keys.bind("Escape", "draw.cancel", cancel, { writing: true });
  keys.bind("Enter", "draw.close", () => drawing?.finish());
  keys.bind("Ctrl+z", "draw.undo", () => drawing?.undo());
  keys.bind("Ctrl+s", "draw.save", () => drawing?.save(), { writing: true });
  addEventListener("beforeunload", (event) => {
    if (drawing?.unsaved) event.preventDefault();
  });
  keepWhile(() => Boolean(drawing?.unsaved));
  // Told at each connection too. Where it fails, the stream does, and comes again.
  live.on("zones", () => load().catch(() => {}));
  idle();
  const asked = new URLSearchParams(location.search).get("zone");
  if (asked) pick(asked);
});

/** The plan for a zone: it comes, ends, or changes. @param {Zone} [now] @param {Zone} [then] */
function planOf(now, then) {
  if (!now) return "new";
  if (!then) return "end";
  /** @param {Zone} zone */
  const drawn = ({ geometry, properties: { name, name_zh, policy, code } }) =>
    JSON.stringify([geometry, name, name_zh, policy, code]);
  return drawn(now) === drawn(then) ? "" : "change";
}

function savedText({ at, live: takesEffect, warnings }, isNew) {
  const effect = [...(takesEffect ? [] : [words.say("draw.next_start")]),
    ...flawsOf({ problems: warnings }, words).map(({ text }) => text)];
  return words.prose(words.say("draw.saved"), effectOf(words.time(at), isNew), ...effect);
}
