// @ts-check
// One zone: the window's progress, the cells that are missing, its month, its policy, who is there.
import { AlertList, byUrgency, OPEN, OpenAlerts } from "../alerts/list.js";
import { bikeLink, keyOf, visitorLink } from "../bikes/facts.js";
import { badge, button, el } from "../page/dom.js";
import { config, keys, live, read, repeat, start, unread, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { ZoneCells } from "./cells.js";
import { dueOf, idleOf, pauseOf } from "./list.js";
import { pause, policySentences, resume, startCampaign } from "./orders.js";
import { ZoneDays, ZoneProgress } from "./progress.js";

const TREND_MS = 60_000, POLICY_MS = 60_000, DAYS_MS = 300_000;
const RECENT = 20;

start(async (main) => {
  const zoneId = config.page.params.zone_id, route = encodeURIComponent(zoneId);
  let status;
  try {
    status = await read(`/coverage/${route}`);
  } catch (error) {
    return main.replaceChildren(el("div", "empty", error.message));
  }
  words.zones.set(zoneId, status);

  const panel = (name, ...children) => el("section", `panel part-${name}`, el("h2", "", words.say(`zone.${name}`)), ...children);
  const head = el("section", "panel zone-head"), facts = el("span", "zone-facts"), acts = el("span", "buttons");
  const list = (className) => el("ul", className);
  const window = panel("window"), cells = panel("cells"), days = panel("days"), policy = list("sentences");
  const alerts = el("div", "rows"), inside = list("bikes"), today = list("bikes");
  head.append(facts, acts);
  main.replaceChildren(head, el("div", "zone-parts",
    el("div", "zone-column", window, days), el("div", "zone-column", cells),
    el("div", "zone-column", panel("policy", policy), panel("alerts", alerts), panel("inside", inside), panel("today", today))));

  const progress = new ZoneProgress(window), map = new ZoneCells(cells, zoneId), month = new ZoneDays(days, zoneId);
  new ZoneBikes(inside, today, zoneId);

  const order = () => (status.state === "paused" ? resume(status) : pause(status)).then((done) => done && loadPolicy());
  const campaign = () => startCampaign([zoneId]).then((done) => done && loadPolicy());
  const press = button("button", "", order);
  if (config.may_act) {
    acts.append(press, button("button main", words.say("campaign.start"), campaign, "o"));
    keys.bind("p", "pause", order).bind("o", "campaign.start", campaign);
  }
  keys.bind("Escape", "keys.back", () => history.back());

  function show(newer) {
    status = newer;
    const said = status.state === "paused" ? pauseOf(status) : status.campaign ? words.say("zones.campaign", { name: status.campaign }) : "";
    const fact = (key, node) => el("span", "fact", el("small", "", words.say(key)), node);
    facts.replaceChildren(badge(status.state),
      el("span", "two", el("h1", "", words.zoneName(status)), el("small", "", [words.say(`state.${status.state}`), said, zoneId].filter(Boolean).join(" · "))),
      fact("zones.idle", idleOf(status)), fact("zones.due", dueOf(status)),
      fact("zones.head.bikes", el("b", "", String(status.bikes_inside ?? "–"))), fact("zones.head.visit", visitOf(status)));
    head.dataset.state = status.state;
    press.replaceChildren(words.say(status.state === "paused" ? "resume" : "pause"), el("kbd", "", "P"));
    progress.show({ status });
    map.update(status);
  }

  async function loadPolicy() {
    const asked = await read(`/zones/${route}/policy`);
    progress.show({ policy: asked });
    const orders = [asked.paused && words.say("policy.paused", { why: asked.paused }), asked.campaign && words.say("zones.campaign", { name: asked.campaign })].filter(Boolean);
    const free = asked.exceptions.map((each) => words.say("policy.exception", { what: each.summary, from: words.time(each.from), to: words.time(each.to) }));
    policy.replaceChildren(...orders.map((text) => el("li", "ordered", text)), ...policySentences(asked).map((text) => el("li", "", text)), ...free.map((text) => el("li", "dim", text)));
  }

  // What is open as the stream tells it, then the newest of what is over.
  const shown = new AlertList(alerts, { empty: "zone.no_alerts" });
  let open = [], past = [];
  const showAlerts = () => shown.show([...open, ...past.filter((alert) => !open.some((each) => each.alert_id === alert.alert_id))]);
  const loadAlerts = async () => {
    past = (await read(`/alerts?zone_id=${route}&limit=${RECENT}`)).alerts.filter((alert) => !OPEN.has(alert.state));
    showAlerts();
  };
  new OpenAlerts((all) => {
    open = all.filter((alert) => alert.zone_id === zoneId).sort(byUrgency);
    showAlerts();
  });

  live.on("coverage", (newer) => newer.zone_id === zoneId && show(newer));
  live.on("alert", (alert) => alert.zone_id === zoneId && !OPEN.has(alert.state) && loadAlerts().catch(unread));
  live.on("open", () => loadAlerts().catch(unread));
  show(status);
  repeat(TREND_MS, async () => progress.show({ trend: (await read("/coverage/trend")).zones.find((zone) => zone.zone_id === zoneId) }));
  repeat(POLICY_MS, loadPolicy);
  repeat(DAYS_MS, () => month.load());
});

function visitOf({ last_visit_by: visit }) {
  if (!visit) return el("b", "", words.say("zones.never"));
  const node = el("b", "", visitorLink(visit), " · ", words.say("zones.ago", { age: words.since(visit.at) }));
  node.title = words.time(visit.at);
  return node;
}

// Who is in a zone now, and who was there today.

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
