// @ts-check
// One bike: how it is now, and what it did on a day.
import { factsOf, OpenAlerts } from "../alerts/list.js";
import { el } from "../page/dom.js";
import { config, keys, live, read, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { BikeDay, DayMap, DayPicker } from "./day.js";
import { ageText, Battery, isLow, keyOf, liveBadge, speedText, zoneText } from "./facts.js";

const AGAIN_MS = 30_000;

start(async (main) => {
  const { vendor, bike_id } = config.page.params;
  const key = keyOf({ vendor, bike_id });
  const path = `/bikes/${encodeURIComponent(bike_id)}`;
  const asked = (more) => new URLSearchParams({ vendor, ...more });
  const now = el("div", "bike-now"), figures = el("div", "bike-day"), rejects = el("section", "card"), frame = el("div", "day-map"), legend = el("div", "day-legend");
  const back = el("a", "back", "‹ ", words.say("bike.back"));
  back.href = "/bikes";
  keys.bind("Escape", "keys.back", () => (history.length > 1 ? history.back() : location.assign("/bikes")));
  const alerts = new BikeAlerts(key);
  const picker = new DayPicker(() => load());
  const day = new BikeDay(figures);
  main.replaceChildren(
    el("section", "panel detail bike-side", el("div", "", back, el("h1", "bike-title", bike_id, el("small", "", vendor))), now,
      el("div", "day-head", el("h2", "", words.say("day.title")), picker.node), figures, alerts.node, rejects),
    el("section", "bike-map", frame, legend),
  );
  const state = new BikeNow(now);
  const map = new DayMap(frame, legend);
  let bike = null;

  function render() {
    if (!bike) return;
    state.show(bike);
    map.showBike(picker.isToday() ? bike : null);
  }

  async function load({ again = false } = {}) {
    const date = picker.value;
    const query = asked(date && { date });
    try {
      const [found, drawn] = await Promise.all([read(`${path}/day?${query}`), read(`${path}/path?${query}`)]);
      if (date !== picker.value) return; // another day was picked meanwhile
      picker.known(found.date);
      day.show(found);
      await map.show(drawn, { fit: !again });
      render();
    } catch (error) {
      if (date === picker.value && !again) figures.replaceChildren(el("div", "empty", words.say("day.failed", { why: error.message })));
    }
  }

  live.on("bike", (each) => {
    if (keyOf(each) !== key) return;
    bike = each;
    later("bike", render);
  });
  live.on("coverage", () => later("bike", render)); // a zone's name may have come
  setInterval(render, 1000);

  try {
    bike = await read(`${path}?${asked()}`);
  } catch (error) {
    const text = error.status === 404 ? words.say("bike.unknown", { vendor, bike: bike_id }) : error.message;
    main.replaceChildren(el("section", "panel detail", back, el("div", "empty", text)));
    return;
  }
  render();
  load();
  const reread = () => showRejects(rejects, asked({ bike_id }));
  reread();
  setInterval(() => {
    if (document.hidden) return;
    if (picker.isToday()) load({ again: true });
    reread();
  }, AGAIN_MS);
});

// What is known of the bike now; its nodes are made once.
class BikeNow {
  constructor(node) {
    this.battery = new Battery();
    this.mark = el("span", "mark");
    this.word = el("b");
    this.hint = el("p", "dim");
    this.facts = el("p", "facts");
    this.low = el("p", "low-note", words.say("bike.low"));
    node.replaceChildren(el("div", "bike-state", this.mark, this.word, this.battery.node), this.hint, this.facts, this.low);
  }

  show(bike) {
    if (this.liveness !== bike.liveness) {
      this.liveness = bike.liveness;
      this.mark.replaceChildren(liveBadge(bike.liveness));
      this.word.textContent = words.say(`live.${bike.liveness}`);
      this.hint.textContent = words.say(`live.${bike.liveness}.hint`);
    }
    this.battery.show(bike);
    this.low.hidden = !isLow(bike);
    const facts = [zoneText(bike), speedText(bike), bike.at ? words.say("bike.at", { time: words.time(bike.at) }) : null, ageText(bike),
      bike.accuracy_m == null ? null : words.say("bike.accuracy", { n: Math.round(bike.accuracy_m) }),
      bike.vehicle_state == null ? null : `${words.say("bike.vehicle_state")} ${bike.vehicle_state}`];
    const text = facts.filter((fact) => fact && fact !== "–").join(" · ");
    if (this.facts.textContent !== text) this.facts.textContent = text;
  }
}

// The open alerts about one bike.

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
    this.list.replaceChildren(...(alerts.length ? alerts.map(alertRow) : [el("p", "dim", words.say("bike.alerts.none"))]));
  }
}

function alertRow(alert) {
  const link = el("a", "bike-alert", el("b", "", words.say(`rule.${alert.rule}`)), el("small", "", [words.since(alert.opened), ...factsOf(alert)].join(" · ")));
  link.href = `/alerts/${encodeURIComponent(alert.alert_id)}`;
  link.dataset.severity = alert.severity;
  return link;
}

// The last messages of a bike that were not accepted, for who has to put them right.

const SHOWN = 10;

export async function showRejects(node, query) {
  const head = el("h2", "", words.say("bike.rejects"));
  query.set("limit", SHOWN);
  try {
    const { rejects } = await read(`/rejects?${query}`);
    node.replaceChildren(head, ...(rejects.length ? rejects.map(rejectRow) : [el("p", "dim", words.say("bike.rejects.none"))]));
  } catch {
    node.replaceChildren(head, el("p", "dim", words.say("bike.rejects.failed")));
  }
}

function rejectRow(reject) {
  const payload = el("code", "payload", reject.payload);
  payload.tabIndex = 0; // it scrolls
  return el("div", "reject",
    el("div", "", el("b", "", words.say(`reject.${reject.reason}`)), " ", el("code", "dim", reject.reason), el("time", "dim", words.time(reject.received_at))),
    el("p", "", reject.detail, reject.index == null ? "" : ` (${words.say("bike.rejects.item", { n: reject.index + 1 })})`),
    el("small", "", reject.topic), payload);
}
