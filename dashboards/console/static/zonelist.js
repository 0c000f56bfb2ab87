// The zones as a table: the urgent ones first, or by a column. Only what has changed is drawn.
import { visitorLink } from "./bikefacts.js";
import { sparkline } from "./charts.js";
import { words } from "./frame.js";
import { later } from "./live.js";
import { badge, el, place, zoneLink, zonePath } from "./page.js";
import { RowList } from "./rowlist.js";
import { barOf, byUrgency, dueOf, idleOf } from "./zonetable.js";

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
