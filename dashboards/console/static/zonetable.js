// The zones beside the map, the urgent ones first.
import { config, words } from "./frame.js";
import { badge, button, el, place, zoneLink } from "./page.js";

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
