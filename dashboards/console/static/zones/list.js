// @ts-check
// The zones as a table: the urgent ones first, or by a column. Only what has changed is drawn.
import { visitorLink } from "../bikes/facts.js";
import { badge, button, el, fill, place, zoneLink, zonePath } from "../page/dom.js";
import { asked, config, setQuery, words } from "../page/frame.js";
import { RowList } from "../page/lists.js";
import { later } from "../page/live.js";
import { sparkline } from "./charts.js";

const HOLD_MS = 3000; // rows do not move while the pointer does
const ROW_EVERY_MS = 5000;

/** @param {(row: ZoneRow) => number} value */
const by = (value) => (/** @type {ZoneRow} */ a, /** @type {ZoneRow} */ b) => value(a) - value(b);

/** @type {Record<string, ZoneColumn>} */
const COLUMNS = {
  state: {
    sort: (a, b) => byUrgency(a.status, b.status),
    of: ({ status: { state, reason, campaign, paused_until, detail } }) =>
      [state, reason, campaign, paused_until, detail],
    cell: ({ status }) => stateOf(status),
  },
  zone: {
    sort: (a, b) =>
      words.zoneName(a.status).localeCompare(words.zoneName(b.status), words.config.lang),
    of: ({ status }) => [words.zoneName(status)],
    cell: ({ status }) =>
      [zoneLink(status.zone_id, words.zoneName(status)), el("small", "", status.zone_id)],
  },
  covered: {
    sort: by(({ status }) => status.covered_ratio - status.target),
    of: ({ status: { cells_covered, covered_ratio, target, window_to } }) =>
      [cells_covered, covered_ratio, target, window_to],
    cell: ({ status }) => [barOf(status)],
  },
  trend: {
    sort: by(gain),
    of: ({ status, trend }) => [status.covered_ratio, status.window_from, trend?.from,
      trend?.covered_ratio.length],
    cell: (row) => trendOf(row),
  },
  idle: {
    sort: by(({ status: { last_patrolled, idle_s } }) =>
      (last_patrolled == null ? -Infinity : -(idle_s ?? 0))),
    of: ({ status }) => [status.idle_s, status.last_patrolled == null],
    cell: ({ status }) => [idleOf(status)],
  },
  due: {
    sort: by(({ status }) => status.due_in_s ?? Number.MAX_VALUE),
    of: ({ status }) => [status.due_in_s, status.state, status.idle_s],
    cell: ({ status }) => [dueOf(status)],
  },
  bikes: {
    sort: by(({ status }) => status.bikes_inside ?? 0),
    of: ({ status }) => [status.bikes_inside],
    cell: ({ status }) => [String(status.bikes_inside ?? "–")],
  },
  visit: {
    sort: by(({ status: { last_visit_by: visit } }) => (visit ? Date.parse(visit.at) : 0)),
    of: ({ status: { last_visit_by: visit } }) => [visit?.bike, visit && words.since(visit.at)],
    cell: ({ status }) => visitOf(status),
  },
  alerts: {
    sort: by((row) => -row.alerts),
    of: ({ alerts }) => [alerts],
    cell: ({ alerts }) => [alerts ? el("b", "count hot", String(alerts)) : "–"],
  },
};

export class ZoneList extends RowList {
  /** @type {Map<string, ZoneRow>} */ all = new Map();
  /** @type {Map<string, Trend>} */ trends = new Map();
  /** @type {Map<string, number>} open alerts by zone */ open = new Map();
  sorted = "state";
  reversed = false;
  moved = -Infinity;

  constructor(head, body, { onPick }) {
    super(body, { role: "row", path: zonePath, onPick });
    body.addEventListener("pointermove", () => (this.moved = performance.now()));
    body.replaceChildren(el("div", "empty", words.say("connecting")));
    this.heads = new Map(Object.keys(COLUMNS).map((name) => [name, this.headOf(name)]));
    head.replaceChildren(...this.heads.values());
    const sort = asked("sort") ?? "";
    this.sortBy(sort in COLUMNS ? sort : "state", asked("down") !== null);
    setInterval(() => this.changed(), ROW_EVERY_MS); // ages, and an order that had to wait
  }

  headOf(name) {
    const press = button("sort", words.say(`zones.head.${name}`), () => {
      this.sortBy(name, name === this.sorted && !this.reversed);
      setQuery({ sort: name === "state" ? null : name, down: this.reversed ? "1" : null });
    });
    return el("span", { className: `col-${name}`, role: "columnheader" }, press);
  }

  sortBy(name, reversed = false) {
    this.sorted = name;
    this.reversed = reversed;
    this.moved = -Infinity;
    const way = reversed ? "descending" : "ascending";
    for (const [each, node] of this.heads) node.ariaSort = each === name ? way : "none";
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
      const is = { className: `col-${name}`, role: "cell",
        data: { head: words.say(`zones.head.${name}`) } };
      return { name, node: el("span", is), drawn: "" };
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
    this.rows.clear();
    for (const [zoneId, row] of rows) this.rows.set(zoneId, row);
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
      fill(cell.node, COLUMNS[cell.name].cell(row));
    }
  }
}

// The state in a word, and why it is so.
function stateOf(status) {
  const title = reasonOf(status);
  return [badge(status.state), el("span", { className: "two", title },
    el("b", "", words.say(`state.${status.state}`)), title && el("small", "", title))];
}

/** Why a zone is in its state: a pause or a campaign by its name. @param {ZoneStatus} status */
export function reasonOf({ state, reason, campaign, paused_until, detail }) {
  if (state === "paused") {
    const time = paused_until && words.time(paused_until);
    return [time && words.say("zones.paused_until", { time }), detail].filter(Boolean).join(" · ");
  }
  if (campaign) return words.say("zones.campaign", { name: campaign });
  return state !== "compliant" && words.knows(`reason.${reason}`) ? words.say(`reason.${reason}`)
    : "";
}

/** The window so far as points of time and ratio; the last is what the stream has just said.
 * @param {ZoneStatus} status @param {Trend} [trend] */
export function pointsOf(status, trend) {
  if (!trend?.from || trend.from !== status.window_from) return [];
  const from_ms = Date.parse(trend.from), end_ms = Math.min(words.now(), Date.parse(trend.to));
  const step_ms = trend.step_s * 1000, first_ms = Math.floor(from_ms / step_ms) * step_ms;
  const past = trend.covered_ratio.slice(0, -1)
    .map((ratio, i) => ({ at_ms: first_ms + (i + 1) * step_ms, ratio }));
  const known = [...past.filter(({ at_ms }) => at_ms < end_ms),
    { at_ms: end_ms, ratio: status.covered_ratio }];
  return known[0].ratio == null ? known : [{ at_ms: from_ms, ratio: 0 }, ...known];
}

function trendOf(/** @type {ZoneRow} */ { status, trend }) {
  const known = pointsOf(status, trend);
  if (!known.length || !trend?.from) return ["–"];
  const { from, to } = trend, { covered_ratio, target } = status;
  const from_ms = Date.parse(from), whole_ms = Date.parse(to) - from_ms;
  const label = words.say("zones.trend", { from: words.time(from), to: words.time(to),
    ratio: words.percent(covered_ratio), target: words.percent(target) });
  const points = known.map(({ at_ms, ratio }) => ({ at: (at_ms - from_ms) / whole_ms, ratio }));
  return [sparkline({ points, target, label })];
}

/** How much the last hour has brought. @param {ZoneRow} row */
function gain({ status, trend }) {
  const steps = 3600 / (trend?.step_s ?? 900);
  return status.covered_ratio - (trend?.covered_ratio.at(-1 - steps) ?? 0);
}

function visitOf({ last_visit_by: visit }) {
  if (!visit) return [words.say("zones.never")];
  const ago = words.say("zones.ago", { age: words.since(visit.at) });
  const at = { title: words.time(visit.at) };
  return [el("span", "two", visitorLink(visit), el("small", at, ago))];
}

/** The zones beside the map, the urgent ones first. */
export class ZoneTable {
  rows = new Map();

  constructor(body, onPick) {
    this.body = body;
    this.onPick = onPick;
    this.empty(words.say("connecting"));
  }

  /** Empties the table; `text` says why. */
  empty(text) {
    this.rows.clear();
    this.body.replaceChildren(el("div", "empty", text));
  }

  update(/** @type {ZoneStatus} */ status) {
    const { zone_id: zone, state } = status, name = words.zoneName(status);
    let row = this.rows.get(zone);
    if (!row) {
      const pick = button("zone-row", "", () => this.onPick(zone));
      const opens = Object.assign(zoneLink(zone, "›"), { title: words.say("page.zone") });
      row = { node: el("div", "zone-line", pick, opens), pick, opens };
      this.rows.set(zone, row);
    }
    row.status = status;
    Object.assign(row.pick.dataset, { zone, state });
    row.pick.title = [name, reasonOf(status)].filter(Boolean).join(words.say("join.of"));
    row.opens.setAttribute("aria-label", `${words.say("page.zone")}${words.say("join.of")}${name}`);
    row.pick.replaceChildren(nameOf(status), barOf(status), idleOf(status), dueOf(status));
  }

  // Zones can end while the page is open.
  keep(zoneIds) {
    for (const zoneId of this.rows.keys()) if (!zoneIds.has(zoneId)) this.rows.delete(zoneId);
    this.sort();
  }

  sort() {
    place(this.body, [...this.rows.values()].sort((a, b) => byUrgency(a.status, b.status))
      .map((row) => row.node));
  }
}

/** Overdue first, then by the time that is left. */
export function byUrgency(a, b) {
  const rank = (s) => config.states.indexOf(s.state);
  const left = (s) => s.due_in_s ?? Infinity;
  return rank(a) - rank(b) || lateness(b) - lateness(a)
    || (left(a) === left(b) ? a.zone_id.localeCompare(b.zone_id) : left(a) - left(b));
}

/** How much longer than asked a zone is without a patrol [s]. */
export function lateness(status) {
  return status.state === "overdue" && status.idle_s != null
    ? Math.max(0, status.idle_s - status.frequency_s) : 0;
}

function nameOf(status) {
  return el("span", "zone-name", badge(status.state),
    el("span", "two", el("b", "", words.zoneName(status)),
      el("small", "", [words.say(`state.${status.state}`), reasonOf(status)]
        .filter(Boolean).join(" · "))));
}

function barOf(/** @type {ZoneStatus} */ { covered_ratio, target, window_to }) {
  const title = window_to ? words.say("zones.by", { time: words.time(window_to) }) : "";
  return el("span", { className: `covered${covered_ratio >= target ? " reached" : ""}`, title },
    el("span", "figures", el("b", "", words.percent(covered_ratio)), ` / ${words.percent(target)}`),
    el("span", "bar", el("i", { className: "fill", style: { width: `${100 * covered_ratio}%` } }),
      el("i", { className: "target", style: { left: `${100 * target}%` } })));
}

export function idleOf(/** @type {ZoneStatus} */ { last_patrolled, idle_s }) {
  const text = last_patrolled == null ? words.say("zones.never")
    : idle_s == null ? "–" : words.duration(idle_s);
  return el("span", "idle", text);
}

export function dueOf(/** @type {ZoneStatus} */ status) {
  const late = lateness(status), says = () => el("small", "", words.say("zones.late"));
  if (late) return el("span", "due late", `+${words.duration(late)}`, says());
  return el("span", "due", status.due_in_s == null ? "–" : words.duration(status.due_in_s));
}
