// The desk: the map, the zones by urgency, the open alerts. Open all day.
import { AlertList } from "./alertlist.js";
import { leafletStyle, live, read, start, words } from "./frame.js";
import { drawLegend } from "./legend.js";
import { later } from "./live.js";
import { PatrolMap } from "./map.js";
import { OpenAlerts } from "./openalerts.js";
import { el } from "./page.js";
import { ZoneTable } from "./zonetable.js";

const RETRY_MS = 2000;

start(async (main) => {
  const part = (tag, id, ...children) => Object.assign(el(tag, "", ...children), { id });
  const head = el("div", "panel-head zone-row", ...["zone", "covered", "idle", "due"].map((key) => el("span", "", words.say(`zones.${key}`))));
  const count = part("span", "alert-count", "0");
  const zones = part("div", "zones"), alerts = part("div", "alerts"), legend = part("div", "legend"), frame = part("div", "map");
  zones.className = alerts.className = "rows";
  legend.setAttribute("aria-label", words.say("legend"));
  main.replaceChildren(
    part("section", "map-frame", frame, legend),
    part("aside", "side",
      Object.assign(part("section", "zone-panel", head, zones), { className: "panel" }),
      Object.assign(part("section", "alert-panel", el("div", "panel-head", el("span", "", words.say("alerts")), count), alerts), { className: "panel" })),
  );
  drawLegend(legend);
  await leafletStyle();
  const map = new PatrolMap(frame);
  const table = new ZoneTable(zones, (zoneId) => map.showZone(zoneId));
  const list = new AlertList(alerts, { onPick: (alert) => alert.zone_id && map.showZone(alert.zone_id, { stay: true }) });
  new OpenAlerts((open, active) => {
    count.textContent = open.length;
    count.classList.toggle("hot", active > 0);
    list.show(open);
  });

  // Again after each reconnect: zones may have been redrawn meanwhile.
  async function loadZones() {
    try {
      const collection = await read("/zones");
      map.setZones(collection);
      table.keep(new Set(collection.features.map((feature) => feature.id)));
    } catch {
      setTimeout(loadZones, RETRY_MS);
    }
  }

  live.on("open", loadZones).on("zones", loadZones);
  live.on("bike", (bike) => map.updateBike(bike));
  live.on("coverage", (status) => {
    map.updateZone(status);
    table.update(status);
    later("zones", () => table.sort());
  });
});
