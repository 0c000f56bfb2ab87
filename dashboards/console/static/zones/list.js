// @ts-check
// The zones as a table: the urgent ones first, or by a column. Only what has changed is drawn.
import { visitorLink } from "../bikes/facts.js";
import { badge, button, el, place, zoneLink, zonePath } from "../page/dom.js";
import { config, words } from "../page/frame.js";
import { RowList } from "../page/lists.js";
import { later } from "../page/live.js";
import { sparkline } from "./charts.js";

const HOLD_MS = 3000; // rows do not move while the pointer does
const ROW_EVERY_MS = 5000;

const by = (value) => (a, b) => value(a) - value(b);
const shortOf = ({ status }) => status.covered_ratio - status.target;

// Of each column: how rows are sorted by it, what it is drawn from, and what it draws.
const COLUMNS = {
  state: { sort: (a, b) => byUrgency(a.status, b.status), of: ({ status }) => [status.state, status.campaign, status.paused_until, status.detail], cell: ({ status }) => stateOf(status) },
  zone: { sort: (a, b) => words.zoneName(a.status).localeCompare(words.zoneName(b.status), words.config.lang), of: ({ status }) => [words.zoneName(status)], cell: ({ status }) => [zoneLink(status.zone_id, words.zoneName(status)), el("small", "", status.zone_id)] },
  covered: { sort: by(shortOf), of: ({ status }) => [status.cells_covered, status.covered_ratio, status.target, status.window_to], cell: ({ status }) => [barOf(status)] },
  trend: { sort: by(gain), of: ({ status, trend }) => [status.covered_ratio, status.window_from, trend?.from, trend?.covered_ratio.length], cell: (row) => trendOf(row) },
  idle: { sort: by(({ status }) => (status.last_patrolled == null ? -Infinity : -(status.idle_s ?? 0))), of: ({ status }) => [status.idle_s, status.last_patrolled == null], cell: ({ status }) => [idleOf(status)] },
  due: { sort: by(({ status }) => status.due_in_s ?? Number.MAX_VALUE), of: ({ status }) => [status.due_in_s, status.state, status.idle_s], cell: ({ status }) => [dueOf(status)] },
  bikes: { sort: by(({ status }) => status.bikes_inside ?? 0), of: ({ status }) => [status.bikes_inside], cell: ({ status }) => [String(status.bikes_inside ?? "–")] },
  visit: { sort: by(({ status }) => Date.parse(status.last_visit_by?.at ?? 0)), of: ({ status }) => [status.last_visit_by?.bike, status.last_visit_by && words.since(status.last_visit_by.at)], cell: ({ status }) => visitOf(status) },
  alerts: { sort: by((row) => -row.alerts), of: ({ alerts }) => [alerts], cell: ({ alerts }) => [alerts ? el("b", "count hot", String(alerts)) : "–"] },
};

export class ZoneList extends RowList {
  constructor(head, body, { onPick }) {
    super(body, { role: "row", path: zonePath, onPick });
    Object.assign(this, { all: new Map(), trends: new Map(), open: new Map(), sorted: "state", reversed: false, moved: -Infinity });
    body.setAttribute("role", "rowgroup");
    body.addEventListener("pointermove", () => (this.moved = performance.now()));
    body.replaceChildren(el("div", "empty", words.say("connecting")));
    this.heads = new Map(Object.keys(COLUMNS).map((name) => [name, this.headOf(name)]));
    head.setAttribute("role", "row");
    head.replaceChildren(...this.heads.values());
    this.sortBy("state");
    setInterval(() => this.changed(), ROW_EVERY_MS); // ages, and an order that had to wait
  }

  headOf(name) {
    const press = el("button", "sort", words.say(`zones.head.${name}`));
    press.type = "button";
    press.addEventListener("click", () => this.sortBy(name, name === this.sorted && !this.reversed));
    const node = el("span", `col-${name}`, press);
    node.setAttribute("role", "columnheader");
    return node;
  }

  sortBy(name, reversed = false) {
    Object.assign(this, { sorted: name, reversed, moved: -Infinity });
    for (const [each, node] of this.heads) node.setAttribute("aria-sort", each !== name ? "none" : reversed ? "descending" : "ascending");
    this.changed();
  }

  update(status) {
    const row = this.all.get(status.zone_id) ?? this.make(status.zone_id);
    row.status = status;
    this.changed();
  }

  // Zones can end while the page is open.
  keep(zoneIds) {
    for (const zoneId of this.all.keys()) if (!zoneIds.has(zoneId)) this.all.delete(zoneId);
    this.changed();
  }

  showTrends(zones) {
    this.trends = new Map(zones.map((trend) => [trend.zone_id, trend]));
    this.changed();
  }

  showAlerts(open) {
    this.open = new Map();
    for (const { zone_id } of open) this.open.set(zone_id, (this.open.get(zone_id) ?? 0) + 1);
    this.changed();
  }

  get status() {
    return this.all.get(this.selected)?.status ?? null;
  }

  make(zoneId) {
    const row = this.row(zoneId, "zone-line");
    row.node.dataset.zone = zoneId;
    row.cells = Object.keys(COLUMNS).map((name) => {
      const node = el("span", `col-${name}`);
      node.setAttribute("role", "cell");
      node.dataset.head = words.say(`zones.head.${name}`);
      return { name, node, drawn: null };
    });
    row.node.append(...row.cells.map(({ node }) => node));
    this.all.set(zoneId, row);
    return row;
  }

  changed() {
    later("zone-list", () => this.draw());
  }

  draw() {
    for (const row of this.all.values()) this.fill(row);
    if (performance.now() - this.moved < HOLD_MS && this.rows.size === this.all.size) return;
    const way = this.reversed ? -1 : 1, { sort } = COLUMNS[this.sorted];
    const rows = [...this.all].sort(([, a], [, b]) => way * sort(a, b) || COLUMNS.state.sort(a, b));
    this.rows = new Map(rows);
    if (!this.rows.has(this.selected)) this.selected = null;
    if (rows.length) place(this.body, rows.map(([, { node }]) => node));
  }

  fill(row) {
    row.trend = this.trends.get(row.status.zone_id);
    row.alerts = this.open.get(row.status.zone_id) ?? 0;
    row.node.dataset.state = row.status.state;
    for (const cell of row.cells) {
      const from = JSON.stringify(COLUMNS[cell.name].of(row));
      if (from === cell.drawn) continue;
      cell.drawn = from;
      cell.node.replaceChildren(...COLUMNS[cell.name].cell(row));
    }
  }
}

// The state in a word; a pause or a campaign by its name.
export function stateOf(status) {
  const said = status.state === "paused" ? [pauseOf(status)] : status.campaign ? [words.say("zones.campaign", { name: status.campaign })] : [];
  const node = el("span", "two", el("b", "", words.say(`state.${status.state}`)), ...said.map((text) => el("small", "", text)));
  if (said.length) node.title = said[0];
  return [badge(status.state), node];
}

export function pauseOf(status) {
  const until = status.paused_until ? words.say("zones.paused_until", { time: words.time(status.paused_until) }) : "";
  return [until, status.detail].filter(Boolean).join(" · ");
}

// The window so far as points of time and ratio; the last is what the stream has just said.
export function pointsOf(status, trend) {
  if (!trend?.from || trend.from !== status.window_from) return [];
  const from_ms = Date.parse(trend.from), end_ms = Math.min(words.now(), Date.parse(trend.to));
  const first_ms = Math.floor(from_ms / (trend.step_s * 1000)) * trend.step_s * 1000;
  const past = trend.covered_ratio.slice(0, -1).map((ratio, i) => ({ at_ms: first_ms + (i + 1) * trend.step_s * 1000, ratio }));
  const known = [...past.filter(({ at_ms }) => at_ms < end_ms), { at_ms: end_ms, ratio: status.covered_ratio }];
  return known[0].ratio == null ? known : [{ at_ms: from_ms, ratio: 0 }, ...known];
}

function trendOf({ status, trend }) {
  const points = pointsOf(status, trend);
  if (!points.length) return ["–"];
  const from_ms = Date.parse(trend.from), whole_ms = Date.parse(trend.to) - from_ms;
  const label = words.say("zones.trend", { from: words.time(trend.from), to: words.time(trend.to), ratio: words.percent(status.covered_ratio), target: words.percent(status.target) });
  return [sparkline({ points: points.map(({ at_ms, ratio }) => ({ at: (at_ms - from_ms) / whole_ms, ratio })), target: status.target, label })];
}

// How much the last hour has brought.
function gain({ status, trend }) {
  const steps = 3600 / (trend?.step_s ?? 900);
  return status.covered_ratio - (trend?.covered_ratio.at(-1 - steps) ?? 0);
}

function visitOf({ last_visit_by: visit }) {
  if (!visit) return [words.say("zones.never")];
  const ago = el("small", "", words.say("zones.ago", { age: words.since(visit.at) }));
  ago.title = words.time(visit.at);
  return [el("span", "two", visitorLink(visit), ago)];
}

// The zones beside the map, the urgent ones first.

export class ZoneTable {
  constructor(body, onPick) {
    Object.assign(this, { body, onPick, rows: new Map() });
    this.empty(words.say("connecting"));
  }

  // Nothing is known; `text` says why.
  empty(text) {
    this.rows.clear();
    this.body.replaceChildren(el("div", "empty", text));
  }

  update(status) {
    let row = this.rows.get(status.zone_id);
    if (!row) {
      const pick = button("zone-row", "", () => this.onPick(status.zone_id));
      const link = Object.assign(zoneLink(status.zone_id, "›"), { title: words.say("page.zone") });
      row = { node: el("div", "zone-line", pick, link), pick, link };
      this.rows.set(status.zone_id, row);
    }
    row.status = status;
    row.pick.dataset.zone = status.zone_id;
    row.pick.dataset.state = status.state;
    row.pick.title = words.zoneName(status);
    row.link.setAttribute("aria-label", `${words.say("page.zone")}: ${words.zoneName(status)}`);
    row.pick.replaceChildren(nameOf(status), barOf(status), idleOf(status), dueOf(status));
  }

  // Zones can end while the page is open.
  keep(zoneIds) {
    for (const zoneId of this.rows.keys()) if (!zoneIds.has(zoneId)) this.rows.delete(zoneId);
    this.sort();
  }

  sort() {
    place(this.body, [...this.rows.values()].sort((a, b) => byUrgency(a.status, b.status)).map((row) => row.node));
  }
}

// Overdue first, then by the time that is left.
export function byUrgency(a, b) {
  const rank = (s) => config.states.indexOf(s.state);
  const left = (s) => s.due_in_s ?? Infinity;
  return rank(a) - rank(b) || lateness(b) - lateness(a) ||
    (left(a) === left(b) ? a.zone_id.localeCompare(b.zone_id) : left(a) - left(b));
}

export function lateness(status) {
  return status.state === "overdue" && status.idle_s != null ? Math.max(0, status.idle_s - status.frequency_s) : 0;
}

export function nameOf(status) {
  return el("span", "zone-name", badge(status.state),
    el("span", "two", el("b", "", words.zoneName(status)),
      el("small", "", `${words.say(`state.${status.state}`)} · ${status.zone_id}`)));
}

export function barOf(status) {
  const fill = el("i", "fill"), target = el("i", "target");
  fill.style.width = `${100 * status.covered_ratio}%`;
  target.style.left = `${100 * status.target}%`;
  const reached = status.covered_ratio >= status.target;
  const node = el("span", `covered${reached ? " reached" : ""}`,
    el("span", "figures", el("b", "", words.percent(status.covered_ratio)), ` / ${words.percent(status.target)}`),
    el("span", "bar", fill, target));
  if (status.window_to) node.title = words.say("zones.by", { time: words.time(status.window_to) });
  return node;
}

export function idleOf(status) {
  const text = status.last_patrolled == null ? words.say("zones.never")
    : status.idle_s == null ? "–" : words.duration(status.idle_s);
  return el("span", "idle", text);
}

export function dueOf(status) {
  const late = lateness(status);
  if (late) return el("span", "due late", `+${words.duration(late)}`, el("small", "", words.say("zones.late")));
  return el("span", "due", status.due_in_s == null ? "–" : words.duration(status.due_in_s));
}
