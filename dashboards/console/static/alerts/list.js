// @ts-check
// A list of alerts, the urgent ones first; one of them is selected, and acts go to that one.
import { button, el, link, place } from "../page/dom.js";
import { live, words } from "../page/frame.js";
import { RowList } from "../page/lists.js";
import { later } from "../page/live.js";
import { act, ACTS, bindActs, possible, remember } from "./acts.js";

export const OPEN = new Set(["active", "acknowledged", "returned", "shelved"]);
const WEIGHT = { critical: 0, warning: 1, info: 2 };
const PLACE = { active: 0, acknowledged: 1, returned: 2, shelved: 3 };

/** Unattended alerts first, then the more severe, then the older. */
export function byUrgency(/** @type {Alert} */ a, /** @type {Alert} */ b) {
  return (PLACE[a.state] ?? 9) - (PLACE[b.state] ?? 9)
    || (WEIGHT[a.severity] ?? 9) - (WEIGHT[b.severity] ?? 9)
    || Date.parse(a.opened) - Date.parse(b.opened) || a.alert_id.localeCompare(b.alert_id);
}

export class AlertList extends RowList {
  /** @param {HTMLElement} body @param {AlertRows} rows */
  constructor(body, { onPick = () => {}, opens, acts = 1, empty = "alerts.empty" } = {}) {
    super(body, { role: "option", path: alertPath, opens, onPick: (row) => onPick(row.alert) });
    this.acts = acts;
    this.nothing = el("div", "empty", el("span", "tick", "✓"), words.say(empty));
    body.setAttribute("role", "listbox");
    bindActs(() => this.rows.get(this.selected)?.alert);
  }

  /** Shows these alerts in this order. A row that somebody is about to press stays the same node.
   * @param {Alert[]} alerts */
  show(alerts) {
    const before = new Map(this.rows), was = before.get(this.selected)?.alert;
    const is = was && alerts.find((alert) => alert.alert_id === this.selected);
    if (is && is.state !== was.state) this.leaves([...before.keys()]);
    this.rows.clear();
    for (const alert of alerts) {
      remember(alert);
      const row = before.get(alert.alert_id) ?? this.row(alert.alert_id, "alert-row");
      const said = [alert.updated, alert.state, words.subject(alert)].join(" ");
      row.alert = alert;
      if (row.said !== said) this.fill(row, alert);
      row.said = said;
      row.age.textContent = words.since(alert.opened);
      this.rows.set(alert.alert_id, row);
    }
    if (!this.rows.has(this.selected)) this.selected = null;
    const nodes = [...this.rows.values()].map((row) => row.node);
    place(this.body, nodes.length ? nodes : [this.nothing]);
  }

  fill(row, alert) {
    row.age = el("span", "age");
    const opens = link("alert-link", alertPath(alert.alert_id), words.say(`rule.${alert.rule}`),
      " · ", words.subject(alert));
    row.node.replaceChildren(
      el("span", "two", el("b", "", opens),
        el("small", "", row.age, " · ", factsOf(alert).join(" · "))),
      ...possible(alert).slice(0, this.acts).map((name, i) => this.button(row, name, i === 0)),
    );
    const { alert_id, state, severity } = alert;
    Object.assign(row.node.dataset, { alert: alert_id, state, severity });
  }

  button(row, name, main) {
    const kind = main ? "button main" : "button";
    const is = { className: kind, title: ACTS[name].key.toUpperCase() };
    const press = button(is, words.say(`act.${name}`), async (event) => {
      event.stopPropagation();
      press.disabled = true;
      await act(row.alert, name);
      press.disabled = false;
    });
    return press;
  }
}

export function alertPath(alertId) {
  return `/alerts/${encodeURIComponent(alertId)}`;
}

/** The facts in a row beside rule and subject. @param {Alert} alert */
export function factsOf({ state, acknowledged_by, assigned_to, shelved_until, reopened }) {
  const until = shelved_until && words.time(shelved_until);
  return [
    words.say(`alert.${state}`),
    acknowledged_by && words.say("alerts.acknowledged_by", { who: acknowledged_by }),
    assigned_to && words.say("alerts.assigned_to", { who: assigned_to }),
    until && words.say("alerts.shelved_until", { time: until }),
    reopened && words.say("alerts.reopened", { n: reopened }),
  ].filter(Boolean);
}

/** Follows the alerts that are open, as the stream tells them.
 * @param {(open: Alert[], active: number) => void} onChange gets them, the urgent ones first */
export function followAlerts(onChange) {
  /** @type {Map<string, Alert>} */ const alerts = new Map();
  const changed = () => later("alerts", () => {
    const sorted = [...alerts.values()].sort(byUrgency);
    const active = sorted.filter((alert) => alert.state === "active").length;
    document.title = (active ? `(${active}) ` : "") + words.say("title");
    onChange(sorted, active);
  });
  live.on("open", () => alerts.clear()); // the stream begins with everything that is open
  live.on("alert", (alert) => {
    if (OPEN.has(alert.state)) alerts.set(alert.alert_id, alert);
    else alerts.delete(alert.alert_id);
  });
  // A zone's name may have come; and ages go on.
  for (const event of ["open", "alert", "coverage"]) live.on(event, changed);
  setInterval(changed, 5000);
}
