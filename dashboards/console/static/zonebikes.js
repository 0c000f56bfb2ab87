// Who is in a zone now, and who was there today.
import { bikeLink, keyOf } from "./bikefacts.js";
import { live, read, repeat, words } from "./frame.js";
import { later } from "./live.js";
import { el } from "./page.js";

const EVERY_MS = 120_000, LIMIT = 100;

export class ZoneBikes {
  constructor(inside, today, zoneId) {
    Object.assign(this, { inside, today, zoneId, there: new Map() });
    live.on("open", () => this.there.clear());
    live.on("bike", (bike) => this.update(bike));
    this.draw();
    repeat(EVERY_MS, () => this.load());
  }

  update(bike) {
    const key = keyOf(bike);
    const before = this.there.has(key);
    if (bike.zone_id === this.zoneId && bike.liveness === "live") this.there.set(key, bike);
    else this.there.delete(key);
    if (before || this.there.has(key)) later("zone-bikes", () => this.draw());
  }

  draw() {
    const bikes = [...this.there].sort(([a], [b]) => a.localeCompare(b));
    this.inside.replaceChildren(...bikes.map(([, bike]) => {
      const speed = bike.speed_mps == null ? "" : words.say("bike.speed", { speed: (bike.speed_mps * 3.6).toFixed(0) });
      return el("li", "", el("b", "", bikeLink(bike)), el("span", "dim", speed));
    }));
    if (!bikes.length) this.inside.append(el("li", "dim", words.say("zone.nobody")));
  }

  // Of today's bikes those that were in the zone, the longest first.
  async load() {
    const days = [];
    for (let cursor = ""; cursor !== null; ) {
      const asked = new URLSearchParams({ limit: LIMIT, date: words.local(live.now()).date, ...(cursor && { cursor }) });
      const answer = await read(`/bikes/days?${asked}`);
      days.push(...answer.days);
      cursor = answer.next_cursor ?? null;
    }
    const rows = days.flatMap((day) => day.zones.filter((zone) => zone.zone_id === this.zoneId).map((zone) => ({ ...zone, bike: day })));
    rows.sort((a, b) => b.time_s - a.time_s);
    this.today.replaceChildren(...rows.map(({ bike, time_s, cells }) =>
      el("li", "", el("b", "", bikeLink(bike)), el("span", "", words.duration(time_s)), el("span", "dim", cells == null ? "" : words.say("zone.n_cells", { n: cells })))));
    if (!rows.length) this.today.append(el("li", "dim", words.say("zone.nobody_today")));
  }
}
