// The alerts that are open now, as the stream tells them.
import { byUrgency, OPEN } from "./alertlist.js";
import { later } from "./live.js";
import { live, words } from "./frame.js";

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
