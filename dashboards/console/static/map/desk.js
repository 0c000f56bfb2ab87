// @ts-check
// The desk: the map, the zones by urgency, the open alerts. Open all day.
import { AlertList, followAlerts } from "../alerts/list.js";
import { $, el } from "../page/dom.js";
import { keys, live, read, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { Replay } from "../replay/replay.js";
import { ZoneTable } from "../zones/list.js";
import { drawLegend, PatrolMap } from "./map.js";

const RETRY_MS = 2000;

// Asked for at once, so that they are there when the frame is.
/** @type {Promise<Zones | null> | null} */ let early = read("/zones").catch(() => null);

start(async (main) => {
  drawLegend($("legend"));
  const map = new PatrolMap($("map")), asOf = $("zones-as-of");
  const table = new ZoneTable($("zones"), (zoneId) => map.showZone(zoneId));
  const list = new AlertList($("alerts"),
    { onPick: ({ zone_id }) => zone_id && map.showZone(zone_id, { stay: true }) });
  followAlerts((open, active) => {
    $("alert-count").textContent = open.length;
    $("alert-count").classList.toggle("hot", active > 0);
    list.show(open);
  });

  // Again after each reconnect: zones may have been redrawn meanwhile.
  async function loadZones() {
    try {
      const collection = (await early) ?? (await read("/zones"));
      early = null;
      if (replay.on) return;
      map.drawZones(collection);
      for (const { properties } of collection.features) {
        if (properties.state) map.zones.update(properties);
      }
      table.keep(new Set(collection.features.map((feature) => feature.id)));
    } catch {
      setTimeout(loadZones, RETRY_MS);
    }
  }

  function show(/** @type {Iterable<ZoneStatus>} */ statuses) {
    for (const status of statuses) {
      map.zones.update(status);
      table.update(status);
    }
    later("zones", () => table.sort());
  }

  const tool = map.tool("replay", "R", () => replay.toggle());
  // Table and map never show two different times: both are of the instant, or both are of now.
  const replay = new Replay($("replay-banner"), $("replay-bar"), {
    enter() {
      main.dataset.replay = "";
      tool.setAttribute("aria-pressed", "true");
      map.map.keyboard.disable();
      map.bikes.hold(new Map());
      asOf.hidden = false;
    },
    resized: () => map.resized(),
    leave() {
      delete main.dataset.replay;
      tool.setAttribute("aria-pressed", "false");
      map.map.keyboard.enable();
      map.cells.show(null);
      map.lastHour.hold(null);
      map.bikes.hold(null);
      asOf.hidden = true;
      map.zones.blank();
      table.empty(words.say("connecting"));
      show(words.zones.values());
      loadZones();
    },
    bikes: (bikes) => map.bikes.hold(bikes),
    trails: (tracks, at) => map.lastHour.hold(tracks, at),
    cells: (at) => map.cells.show(at),
    zones(statuses, at, outlines) {
      if (outlines) map.drawZones(outlines);
      asOf.textContent = statuses ? words.say("replay.as_of", { time: words.exact(at) })
        : words.say("replay.not_known");
      if (!statuses) {
        map.zones.blank();
        return table.empty("…");
      }
      table.keep(new Set(statuses.map((status) => status.zone_id)));
      show(statuses);
    },
  }, () => Math.max(0, ...[...words.zones.values()].map(
    ({ window_from }) => (window_from ? Date.parse(window_from) : 0))));
  // After a press by pointer the space bar is for playing, not for the button once more.
  main.addEventListener("click", ({ detail, target }) =>
    detail && target instanceof Element && target.closest("button")?.blur());
  keys.bind("l", "layers.key", () => map.toggleLayers());
  keys.bind("b", "card.key", () => map.pickNext());
  keys.bind("Escape", "card.close", () => map.card.key && map.card.close());

  live.on("open", loadZones).on("zones", loadZones);
  live.on("bike", (bike) => map.bikes.tell(bike));
  live.on("coverage", (status) => replay.on || show([status]));
  // A link to a replay is followed once the clock has been heard.
  let followed = false;
  live.on("health", () => {
    if (followed) return;
    followed = true;
    replay.follow(location.search);
  });
});
