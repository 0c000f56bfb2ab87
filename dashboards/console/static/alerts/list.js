// @ts-check
// A list of alerts, the urgent ones first; one of them is selected, and acts go to that one.
import { el, place } from "../page/dom.js";
import { live, words } from "../page/frame.js";
import { RowList } from "../page/lists.js";
import { later } from "../page/live.js";
import { act, ACTS, bindActs, possible, remember } from "./acts.js";

export const OPEN = new Set(["active", "acknowledged", "returned", "shelved"]);
const WEIGHT = { critical: 0, warning: 1, info: 2 };
const PLACE = { active: 0, acknowledged: 1, returned: 2, shelved: 3 };

// Who waits for somebody first, then what is worse, then what is older.
export function byUrgency(a, b) {
  return (PLACE[a.state] ?? 9) - (PLACE[b.state] ?? 9) ||
    (WEIGHT[a.severity] ?? 9) - (WEIGHT[b.severity] ?? 9) ||
    Date.parse(a.opened) - Date.parse(b.opened) || a.alert_id.localeCompare(b.alert_id);
}

export class AlertList extends RowList {
  // `acts`: how many buttons a row has; `onPick` is called with the alert that was selected.
  constructor(body, { onPick = () => {}, opens, acts = 1, empty = "alerts.empty" } = {}) {
    super(body, { role: "option", path: alertPath, opens, onPick: (row) => onPick(row.alert) });
    Object.assign(this, { acts, empty });
    body.setAttribute("role", "listbox");
    bindActs(() => this.rows.get(this.selected)?.alert);
  }

  // Shows these alerts in this order. A row that somebody is about to press stays the same node.
  show(alerts) {
    const before = this.rows, was = before.get(this.selected)?.alert;
    const is = was && alerts.find((alert) => alert.alert_id === this.selected);
    if (is && is.state !== was.state) this.leaves([...before.keys()]);
    this.rows = new Map();
    for (const alert of alerts) {
      remember(alert);
      const row = before.get(alert.alert_id) ?? this.make(alert.alert_id);
      if (row.alert?.updated !== alert.updated || row.alert?.state !== alert.state || row.name !== words.subject(alert)) this.fill(row, alert);
      row.alert = alert;
      row.age.textContent = words.since(alert.opened);
      this.rows.set(alert.alert_id, row);
    }
    if (!this.rows.has(this.selected)) this.selected = null;
    const nodes = [...this.rows.values()].map((row) => row.node);
    if (!nodes.length) nodes.push(this.nothing ??= el("div", "empty", el("span", "tick", "✓"), words.say(this.empty)));
    place(this.body, nodes);
  }

  make(alertId) {
    const row = this.row(alertId, "alert-row");
    row.node.dataset.alert = alertId;
    return row;
  }

  fill(row, alert) {
    row.name = words.subject(alert);
    row.age = el("span", "age");
    const link = el("a", "alert-link", words.say(`rule.${alert.rule}`), " · ", row.name);
    link.href = alertPath(alert.alert_id);
    row.node.replaceChildren(
      el("span", "two", el("b", "", link), el("small", "", row.age, " · ", factsOf(alert).join(" · "))),
      ...possible(alert).slice(0, this.acts).map((name, i) => this.button(row, name, i === 0)),
    );
    Object.assign(row.node.dataset, { state: alert.state, severity: alert.severity });
  }

  button(row, name, main) {
    const button = el("button", main ? "button main" : "button", words.say(`act.${name}`));
    button.type = "button";
    button.title = ACTS[name].key.toUpperCase();
    button.addEventListener("click", async (event) => {
      event.stopPropagation();
      button.disabled = true;
      await act(row.alert, name);
      button.disabled = false;
    });
    return button;
  }
}

export function alertPath(alertId) {
  return `/alerts/${encodeURIComponent(alertId)}`;
}

// What a row says beside rule and subject.
export function factsOf(alert) {
  const facts = [words.say(`alert.${alert.state}`)];
  if (alert.acknowledged_by) facts.push(words.say("alerts.acknowledged_by", { who: alert.acknowledged_by }));
  if (alert.assigned_to) facts.push(words.say("alerts.assigned_to", { who: alert.assigned_to }));
  if (alert.shelved_until) facts.push(words.say("alerts.shelved_until", { time: words.time(alert.shelved_until) }));
  if (alert.reopened) facts.push(words.say("alerts.reopened", { n: alert.reopened }));
  return facts;
}

// The alerts that are open now, as the stream tells them.

export class OpenAlerts {
  constructor(onChange) {
    Object.assign(this, { onChange, alerts: new Map() });
    live.on("open", () => {
      this.alerts.clear(); // the stream begins with everything that is open
      this.changed();
    });
    live.on("alert", (alert) => {
      if (OPEN.has(alert.state)) this.alerts.set(alert.alert_id, alert);
      else this.alerts.delete(alert.alert_id);
      this.changed();
    });
    live.on("coverage", () => this.changed()); // a zone's name may have come
    setInterval(() => this.changed(), 5000); // ages
  }

  changed() {
    later("alerts", () => {
      const sorted = [...this.alerts.values()].sort(byUrgency);
      const active = sorted.filter((alert) => alert.state === "active").length;
      document.title = (active ? `(${active}) ` : "") + words.say("title");
      this.onChange(sorted, active);
    });
  }
}
