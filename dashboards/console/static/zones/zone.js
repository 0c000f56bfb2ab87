// @ts-check
// One zone: the window's progress, the cells that are missing, its month, its policy, who is there.
import { AlertList, byUrgency, OPEN, followAlerts } from "../alerts/list.js";
import { bikeLink, keyOf, speedOf, visitorLink } from "../bikes/facts.js";
import { badge, el, fill } from "../page/dom.js";
import { config, keys, live, read, repeat, start, unread, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { ZoneCells } from "./cells.js";
import { dueOf, idleOf, reasonOf } from "./list.js";
import { OrderButtons, policySentences } from "./orders.js";
import { ZoneMonth, ZoneProgress } from "./progress.js";

const TREND_MS = 60_000, POLICY_MS = 60_000, DAYS_MS = 300_000, TODAY_MS = 120_000;
const RECENT = 20, PAGE = 100;

start(async (main) => {
  const zoneId = config.page.params.zone_id, route = encodeURIComponent(zoneId);
  /** @type {ZoneStatus} */ let status;
  try {
    status = await read(`/coverage/${route}`);
  } catch (error) {
    return main.replaceChildren(el("div", "empty", error.message));
  }
  words.zones.set(zoneId, status);

  const panel = (name, ...children) =>
    el("section", `panel part-${name}`, el("h2", "", words.say(`zone.${name}`)), ...children);
  const facts = el("span", "zone-facts");
  const orders = new OrderButtons(() => status, () => loadPolicy());
  const head = el("section", "panel zone-head", facts, orders.node);
  const window = panel("window"), cells = panel("cells"), days = panel("days");
  const policy = el("ul", "sentences"), alerts = el("div", "rows");
  const inside = el("ul", "bikes"), today = el("ul", "bikes");
  main.replaceChildren(head, el("div", "zone-parts",
    el("div", "zone-column", window, days), el("div", "zone-column", cells),
    el("div", "zone-column", panel("policy", policy), panel("alerts", alerts),
      panel("inside", inside), panel("today", today))));

  const progress = new ZoneProgress(window), map = new ZoneCells(cells, zoneId);
  const month = new ZoneMonth(days, zoneId);
  showInside(inside, zoneId);
  repeat(TODAY_MS, () => showToday(today, zoneId));

  keys.bind("Escape", "keys.back", () => history.back());

  function show(/** @type {ZoneStatus} */ newer) {
    status = newer;
    const { state, bikes_inside } = status;
    const fact = (key, node) => el("span", "fact", el("small", "", words.say(key)), node);
    const says = [words.say(`state.${state}`), reasonOf(status), zoneId].filter(Boolean);
    facts.replaceChildren(badge(state),
      el("span", "two", el("h1", "", words.zoneName(status)), el("small", "", says.join(" · "))),
      fact("zones.idle", idleOf(status)), fact("zones.due", dueOf(status)),
      fact("zones.head.bikes", el("b", "", String(bikes_inside ?? "–"))),
      fact("zones.head.visit", visitOf(status)));
    head.dataset.state = state;
    orders.show();
    progress.show({ status });
    map.update(status);
  }

  async function loadPolicy() {
    /** @type {ZonePolicy} */ const asked = await read(`/zones/${route}/policy`);
    progress.show({ policy: asked });
    const { paused, campaign: name, exceptions } = asked;
    const item = (kind) => (text) => el("li", kind, text);
    const free = exceptions.map(({ summary, from, to }) => words.say("policy.exception",
      { what: summary, from: words.time(from), to: words.time(to) }));
    fill(policy, paused && item("ordered")(words.say("policy.paused", { why: paused })),
      name && item("ordered")(words.say("zones.campaign", { name })),
      policySentences(asked).map(item("")), free.map(item("dim")));
  }

  // Open alerts as the stream tells them, then the newest closed ones.
  const shown = new AlertList(alerts, { empty: "zone.no_alerts" });
  /** @type {Alert[]} */ let open = [];
  /** @type {Alert[]} */ let past = [];
  const isOpen = ({ alert_id: id }) => open.some((each) => each.alert_id === id);
  const showAlerts = () => shown.show([...open, ...past.filter((each) => !isOpen(each))]);
  const loadAlerts = async () => {
    const answer = await read(`/alerts?zone_id=${route}&limit=${RECENT}`);
    past = answer.alerts.filter((alert) => !OPEN.has(alert.state));
    showAlerts();
  };
  followAlerts((all) => {
    open = all.filter((alert) => alert.zone_id === zoneId).sort(byUrgency);
    showAlerts();
  });

  live.on("coverage", (newer) => newer.zone_id === zoneId && show(newer));
  live.on("alert", ({ zone_id, state }) => {
    if (zone_id === zoneId && !OPEN.has(state)) loadAlerts().catch(unread);
  });
  live.on("open", () => loadAlerts().catch(unread));
  show(status);
  repeat(TREND_MS, async () => {
    const { zones } = await read("/coverage/trend");
    progress.show({ trend: zones.find((zone) => zone.zone_id === zoneId) });
  });
  repeat(POLICY_MS, loadPolicy);
  repeat(DAYS_MS, () => month.load());
});

function visitOf(/** @type {ZoneStatus} */ { last_visit_by: visit }) {
  if (!visit) return el("b", "", words.say("zones.never"));
  const ago = words.say("zones.ago", { age: words.since(visit.at) });
  return el("b", { title: words.time(visit.at) }, visitorLink(visit), " · ", ago);
}

function showInside(list, zoneId) {
  /** @type {Map<string, Bike>} */ const there = new Map();
  const draw = () => {
    const bikes = [...there].sort(([a], [b]) => a.localeCompare(b));
    fill(list, bikes.map(([, bike]) =>
      el("li", "", el("b", "", bikeLink(bike)), el("span", "dim", speedOf(bike)))),
    !bikes.length && el("li", "dim", words.say("zone.nobody")));
  };
  live.on("open", () => there.clear());
  live.on("bike", (/** @type {Bike} */ bike) => {
    const key = keyOf(bike), before = there.has(key);
    if (bike.zone_id === zoneId && bike.liveness === "live") there.set(key, bike);
    else there.delete(key);
    if (before || there.has(key)) later("zone-bikes", draw);
  });
  draw();
}

/** Lists the bikes that were in a zone today, the longest first. */
async function showToday(list, zoneId) {
  const asked = { limit: String(PAGE), date: words.local(live.now()).date };
  /** @type {DayFigures[]} */ const days = [];
  for (let cursor = ""; cursor !== null; ) {
    const query = new URLSearchParams({ ...asked, ...(cursor && { cursor }) });
    const answer = await read(`/bikes/days?${query}`);
    days.push(...answer.days);
    cursor = answer.next_cursor ?? null;
  }
  const rows = days.flatMap((bike) => bike.zones.map((zone) => ({ ...zone, bike })))
    .filter(({ zone_id }) => zone_id === zoneId).sort((a, b) => b.time_s - a.time_s);
  fill(list, rows.map(({ bike, time_s, cells }) =>
    el("li", "", el("b", "", bikeLink(bike)), el("span", "", words.duration(time_s)),
      el("span", "dim", cells == null ? "" : words.say("zone.n_cells", { n: cells })))),
  !rows.length && el("li", "dim", words.say("zone.nobody_today")));
}
