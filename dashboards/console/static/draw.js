// Zones are drawn and redrawn here, by an administrator. What is saved is a new version of a zone
// from a moment on; what lies before that moment stays as it was.
import { askFor } from "./dialog.js";
import { Drawing } from "./drawing.js";
import { effectOf } from "./drawform.js";
import { DrawMap } from "./drawmap.js";
import { keys, leafletStyle, live, read, start, words } from "./frame.js";
import { areaOf } from "./outline.js";
import { button, el, place } from "./page.js";
import { ZoneCard } from "./zonecard.js";
import { zonesAt } from "./zonestore.js";

start(async (main) => {
  const rows = el("div", "rows"), panel = el("aside", "draw-panel"), frame = el("div", "draw-map");
  main.replaceChildren(
    el("p", "draw-small", words.say("draw.desktop")),
    el("section", "panel draw-list",
      el("div", "panel-head", el("h1", "", words.say("draw.zones")), el("span", "space"), button("button main", words.say("draw.new"), () => draw(null), "n")),
      rows),
    frame, panel,
  );
  await leafletStyle();
  const map = new DrawMap(frame, (zoneId) => drawing || pick(zoneId));
  const { policies } = await read("/policies").catch((error) => {
    panel.replaceChildren(el("div", "empty", error.message));
    throw error;
  });
  let collection = { features: [] }, drawing = null, card = null;

  function list() {
    place(rows, collection.features.map((feature) => rowOf(feature)));
  }

  function rowOf({ geometry, properties }) {
    const area = words.say("draw.area", { n: (areaOf(geometry) / 1e6).toFixed(2) });
    const row = button("draw-row", "", () => pick(properties.zone_id));
    row.append(el("span", "two", el("b", "", words.zoneName(properties)), el("small", "", `${properties.zone_id} · ${properties.policy} · ${area}`)));
    row.dataset.zone = properties.zone_id;
    row.setAttribute("aria-current", properties.zone_id === card?.zoneId);
    return row;
  }

  async function load() {
    collection = await zonesAt();
    list();
    if (drawing) return drawing.showNeighbours();
    map.showZones(collection.features);
    if (card) pick(card.zoneId, { stay: true, said: card.said });
  }

  // Whether nothing is being drawn any more: what is unsaved is only given up knowingly.
  async function left() {
    if (drawing?.unsaved && !(await askFor(words, { title: words.say("draw.leave"), note: words.say("draw.leave.note"), fields: [], go: words.say("draw.leave.go") }))) return false;
    if (!drawing) return true;
    drawing.end();
    drawing = null;
    map.showZones(collection.features);
    return true;
  }

  async function pick(zoneId, { stay = false, said = "" } = {}) {
    if (!(await left())) return;
    const mine = (card = new ZoneCard({ map, panel, zoneId, policies, said, onEdit: draw, onChanged: load }));
    list();
    await mine.load();
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
  async function draw(zone, { etag = null, planned = false } = {}) {
    if (!(await left())) return;
    if (!zone) idle();
    drawing = new Drawing({
      map, panel, zone, etag, planned, policies, grid: collection.grid,
      onCancel: cancel,
      onSaved: async (zoneId, body) => {
        drawing = card = null;
        await load();
        await pick(zoneId, { said: words.prose(words.say("draw.saved"), effectOf(words.time(body.properties.valid_from), !zone)) });
      },
    });
  }

  async function cancel() {
    const zoneId = card?.zoneId;
    if (!drawing || !(await left())) return;
    if (zoneId) pick(zoneId, { stay: true });
    else idle();
  }

  keys.bind("n", "draw.new", () => draw(null));
  keys.bind("e", "draw.edit", () => !drawing && card?.edit());
  keys.bind("Escape", "draw.cancel", cancel, { writing: true });
  keys.bind("Enter", "draw.close", () => drawing?.finish());
  keys.bind("Ctrl+z", "draw.undo", () => drawing?.undo());
  keys.bind("Ctrl+s", "draw.save", () => drawing?.save(), { writing: true });
  addEventListener("beforeunload", (event) => drawing?.unsaved && event.preventDefault());
  for (const event of ["open", "zones"]) live.on(event, () => load().catch(() => {})); // the next event asks again
  idle();
  const asked = new URLSearchParams(location.search).get("zone");
  if (asked) pick(asked);
});
