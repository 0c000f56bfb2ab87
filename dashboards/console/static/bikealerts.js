// The open alerts about one bike.
import { factsOf } from "./alertlist.js";
import { words } from "./frame.js";
import { OpenAlerts } from "./openalerts.js";
import { el } from "./page.js";

export class BikeAlerts {
  constructor(bike) {
    this.list = el("div", "", el("p", "dim", words.say("bike.alerts.none")));
    this.node = el("section", "card", el("h2", "", words.say("bike.alerts")), this.list);
    new OpenAlerts((alerts) => this.show(alerts.filter((alert) => alert.bike === bike)));
  }

  show(alerts) {
    const said = JSON.stringify(alerts.map((alert) => [alert, words.since(alert.opened)]));
    if (said === this.said) return;
    this.said = said;
    this.list.replaceChildren(...(alerts.length ? alerts.map(rowOf) : [el("p", "dim", words.say("bike.alerts.none"))]));
  }
}

function rowOf(alert) {
  const link = el("a", "bike-alert", el("b", "", words.say(`rule.${alert.rule}`)), el("small", "", [words.since(alert.opened), ...factsOf(alert)].join(" · ")));
  link.href = `/alerts/${encodeURIComponent(alert.alert_id)}`;
  link.dataset.severity = alert.severity;
  return link;
}
