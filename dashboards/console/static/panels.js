// The zone table, the open alerts, the header's figures and the legend.
import { badge, el, svg } from "./page.js";
import { ask } from "./session.js";

const OPEN = new Set(["active", "acknowledged", "returned", "shelved"]);

export class ZoneTable {
  constructor(body, config, words, onPick) {
    Object.assign(this, { body, config, words, onPick, rows: new Map() });
    body.replaceChildren(el("div", "empty", words.say("connecting")));
  }

  update(status) {
    let row = this.rows.get(status.zone_id);
    if (!row) {
      row = { node: el("button", "zone-row") };
      row.node.type = "button";
      row.node.addEventListener("click", () => this.onPick(status.zone_id));
      this.rows.set(status.zone_id, row);
    }
    row.status = status;
    row.node.dataset.zone = status.zone_id;
    row.node.dataset.state = status.state;
    row.node.title = this.words.zoneName(status);
    row.node.replaceChildren(this.name(status), this.bar(status), this.idle(status), this.due(status));
  }

  // Overdue first, then by the time that is left.
  sort() {
    const rank = (s) => this.config.states.indexOf(s.state);
    const left = (s) => s.due_in_s ?? Infinity;
    const rows = [...this.rows.values()].sort((a, b) =>
      rank(a.status) - rank(b.status) || this.late(b.status) - this.late(a.status) ||
      (left(a.status) === left(b.status) ? a.status.zone_id.localeCompare(b.status.zone_id) : left(a.status) - left(b.status)));
    const nodes = rows.map((row) => row.node);
    if (nodes.some((node, i) => this.body.children[i] !== node) || nodes.length !== this.body.children.length) {
      this.body.replaceChildren(...nodes);
    }
  }

  late(status) {
    return status.state === "overdue" && status.idle_s != null ? Math.max(0, status.idle_s - status.frequency_s) : 0;
  }

  name(status) {
    return el("span", "zone-name", badge(status.state),
      el("span", "two", el("b", "", this.words.zoneName(status)),
        el("small", "", `${this.words.say(`state.${status.state}`)} · ${status.zone_id}`)));
  }

  bar(status) {
    const fill = el("i", "fill"), target = el("i", "target");
    fill.style.width = `${100 * status.covered_ratio}%`;
    target.style.left = `${100 * status.target}%`;
    const reached = status.covered_ratio >= status.target;
    const node = el("span", `covered${reached ? " reached" : ""}`,
      el("span", "figures", el("b", "", this.words.percent(status.covered_ratio)), ` / ${this.words.percent(status.target)}`),
      el("span", "bar", fill, target));
    if (status.window_to) node.title = this.words.say("zones.by", { time: this.words.time(status.window_to) });
    return node;
  }

  idle(status) {
    const text = status.last_patrolled == null ? this.words.say("zones.never")
      : status.idle_s == null ? "–" : this.words.duration(status.idle_s);
    return el("span", "idle", text);
  }

  due(status) {
    const late = this.late(status);
    if (late) return el("span", "due late", `+${this.words.duration(late)}`, el("small", "", this.words.say("zones.late")));
    return el("span", "due", status.due_in_s == null ? "–" : this.words.duration(status.due_in_s));
  }
}

export class AlertList {
  constructor(body, count, words, zones, onPick) {
    Object.assign(this, { body, count, words, zones, onPick, alerts: new Map() });
    this.render();
  }

  update(alert) {
    if (OPEN.has(alert.state)) this.alerts.set(alert.alert_id, alert);
    else this.alerts.delete(alert.alert_id);
  }

  reset() {
    this.alerts.clear();
  }

  render() {
    const waiting = (a) => (a.state === "active" ? 0 : 1);
    const alerts = [...this.alerts.values()].sort((a, b) =>
      waiting(a) - waiting(b) || Date.parse(b.opened) - Date.parse(a.opened) || a.alert_id.localeCompare(b.alert_id));
    const active = alerts.filter((a) => a.state === "active").length;
    this.count.textContent = alerts.length;
    this.count.classList.toggle("hot", active > 0);
    document.title = (active ? `(${active}) ` : "") + this.words.say("title");
    // A button that somebody is about to press must stay where it is: rows are kept by alert.
    const nodes = alerts.map((alert) => this.row(alert));
    if (!nodes.length) nodes.push(el("div", "empty", el("span", "tick", "✓"), this.words.say("alerts.empty")));
    if (nodes.some((node, i) => this.body.children[i] !== node) || nodes.length !== this.body.children.length) {
      this.body.replaceChildren(...nodes);
    }
  }

  row(alert) {
    if (alert.row && alert.row.dataset.state === alert.state) return this.age(alert), alert.row;
    const { words } = this;
    const zone = alert.zone_id && this.zones.get(alert.zone_id);
    const subject = alert.bike ?? (zone ? words.zoneName(zone) : alert.zone_id) ?? "";
    const notes = [words.say(`alert.${alert.state}`)];
    if (alert.acknowledged_by) notes.push(words.say("alerts.acknowledged_by", { who: alert.acknowledged_by }));
    if (alert.reopened) notes.push(words.say("alerts.reopened", { n: alert.reopened }));
    alert.ageNode = el("span", "age");
    alert.row = el("div", "alert-row", el("span", "two",
      el("b", "", words.say(`rule.${alert.rule}`), " · ", subject),
      el("small", "", alert.ageNode, " · ", notes.join(" · "))));
    Object.assign(alert.row.dataset, { alert: alert.alert_id, state: alert.state, severity: alert.severity });
    if (alert.zone_id) alert.row.addEventListener("click", () => this.onPick(alert.zone_id));
    if (alert.state === "active" && words.config.may_act) alert.row.append(this.acknowledge(alert));
    this.age(alert);
    return alert.row;
  }

  age(alert) {
    alert.ageNode.textContent = this.words.duration((this.words.now() - Date.parse(alert.opened)) / 1000);
  }

  acknowledge(alert) {
    const { words } = this;
    const button = el("button", "acknowledge", words.say("alerts.acknowledge"));
    button.type = "button";
    button.addEventListener("click", async (event) => {
      event.stopPropagation();
      button.disabled = true;
      try {
        const answer = await ask(`/api/v1/alerts/${encodeURIComponent(alert.alert_id)}/acknowledge`, { body: {} });
        const body = await answer.json();
        if (!answer.ok) throw new Error(words.say("alerts.refused", { why: body.detail }));
        this.update(body);
        this.render();
      } catch (error) {
        const text = error instanceof TypeError ? words.say("alerts.failed") : error.message;
        alert.row.querySelector(".refused")?.remove();
        alert.row.querySelector(".two").append(el("small", "refused", text));
        button.disabled = false;
      }
    });
    return button;
  }
}

export function drawLegend(node, config, words) {
  const cells = config.ages.map(({ up_to_s, color }) => {
    const swatch = el("i", "swatch");
    swatch.style.background = color;
    const text = up_to_s == null ? words.say("legend.older") : words.say("legend.within", { age: words.duration(up_to_s) });
    return el("span", "item", swatch, text);
  });
  const bike = (kind) => {
    const arrow = el("span", `bike ${kind}`, svg("0 0 24 24", "M12 2 L19.5 21 L12 16.5 L4.5 21 Z", "bike-arrow"));
    return el("span", "item", arrow, words.say(`legend.bike_${kind}`));
  };
  node.replaceChildren(
    el("div", "line", ...config.states.map((state) => el("span", "item", badge(state), words.say(`state.${state}`)))),
    el("div", "line", el("b", "", words.say("legend.cells")), ...cells, el("span", "apart"), bike("live"), bike("stale")),
  );
}
