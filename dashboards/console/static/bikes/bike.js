// @ts-check
// One bike: its state now, and one of its days.
import { alertPath, factsOf, OpenAlerts } from "../alerts/list.js";
import { el, link } from "../page/dom.js";
import { config, keys, live, read, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { BikeDay, DayMap, DayPicker } from "./day.js";
import {
  ageText, Battery, bikeRoute, isLow, keyOf, liveBadge, speedText, zoneText,
} from "./facts.js";

const AGAIN_MS = 30_000, REJECTS = 10;

start(async (main) => {
  const { vendor, bike_id } = config.page.params, name = { vendor, bike_id }, key = keyOf(name);
  const now = el("div", "bike-now"), figures = el("div", "bike-day");
  const rejects = el("section", "card");
  const frame = el("div", "day-map"), legend = el("div", "day-legend");
  const back = link("back", "/bikes", "‹ ", words.say("bike.back"));
  keys.bind("Escape", "keys.back",
    () => (history.length > 1 ? history.back() : location.assign("/bikes")));
  const alerts = new BikeAlerts(key);
  const picker = new DayPicker(() => load());
  const day = new BikeDay(figures);
  main.replaceChildren(
    el("section", "panel detail bike-side",
      el("div", "", back, el("h1", "bike-title", bike_id, el("small", "", vendor))), now,
      el("div", "day-head", el("h2", "", words.say("day.title")), picker.node),
      figures, alerts.node, rejects),
    el("section", "bike-map", frame, legend),
  );
  const state = new BikeNow(now), map = new DayMap(frame, legend);
  /** @type {Bike | null} */ let bike = null;

  function render() {
    if (!bike) return;
    state.show(bike);
    map.showBike(picker.isToday() ? bike : null);
  }

  async function load({ again = false } = {}) {
    const date = picker.value, asked = date ? { date } : {};
    try {
      const [found, drawn] = await Promise.all(
        ["/day", "/path"].map((what) => read(bikeRoute(name, what, asked))));
      if (date !== picker.value) return; // another day was picked meanwhile
      picker.known(found.date);
      day.show(found);
      await map.show(drawn, { fit: !again });
      render();
    } catch (error) {
      const why = words.say("day.failed", { why: error.message });
      if (date === picker.value && !again) figures.replaceChildren(el("div", "empty", why));
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
    bike = await read(bikeRoute(name));
  } catch (error) {
    const text = error.status === 404 ? words.say("bike.unknown", { vendor, bike: bike_id })
      : error.message;
    main.replaceChildren(el("section", "panel detail", back, el("div", "empty", text)));
    return;
  }
  render();
  load();
  showRejects(rejects, name);
  setInterval(() => {
    if (document.hidden) return;
    if (picker.isToday()) load({ again: true });
    showRejects(rejects, name);
  }, AGAIN_MS);
});

/** The bike's state now; its nodes are made once. */
class BikeNow {
  battery = new Battery();
  mark = el("span", "mark");
  word = el("b");
  hint = el("p", "dim");
  facts = el("p", "facts");
  low = el("p", "low-note", words.say("bike.low"));

  constructor(/** @type {HTMLElement} */ node) {
    node.replaceChildren(el("div", "bike-state", this.mark, this.word, this.battery.node),
      this.hint, this.facts, this.low);
  }

  show(/** @type {Bike} */ bike) {
    const { liveness, at, accuracy_m, vehicle_state } = bike;
    if (this.liveness !== liveness) {
      this.liveness = liveness;
      this.mark.replaceChildren(liveBadge(liveness));
      this.word.textContent = words.say(`live.${liveness}`);
      this.hint.textContent = words.say(`live.${liveness}.hint`);
    }
    this.battery.show(bike);
    this.low.hidden = !isLow(bike);
    const facts = [
      zoneText(bike), speedText(bike), at && words.say("bike.at", { time: words.time(at) }),
      ageText(bike),
      accuracy_m != null && words.say("bike.accuracy", { n: Math.round(accuracy_m) }),
      vehicle_state != null && `${words.say("bike.vehicle_state")} ${vehicle_state}`,
    ];
    const text = facts.filter((fact) => fact && fact !== "–").join(" · ");
    if (this.facts.textContent !== text) this.facts.textContent = text;
  }
}

/** The open alerts about one bike. */
class BikeAlerts {
  list = el("div");
  node = el("section", "card", el("h2", "", words.say("bike.alerts")), this.list);
  said = "";

  /** @param {string} bike its key */
  constructor(bike) {
    this.show([]);
    new OpenAlerts((alerts) => this.show(alerts.filter((alert) => alert.bike === bike)));
  }

  show(/** @type {Alert[]} */ alerts) {
    const said = JSON.stringify(alerts.map((alert) => [alert, words.since(alert.opened)]));
    if (said === this.said) return;
    this.said = said;
    const none = el("p", "dim", words.say("bike.alerts.none"));
    this.list.replaceChildren(...(alerts.length ? alerts.map(alertRow) : [none]));
  }
}

function alertRow(alert) {
  const facts = [words.since(alert.opened), ...factsOf(alert)].join(" · ");
  const row = link("bike-alert", alertPath(alert.alert_id),
    el("b", "", words.say(`rule.${alert.rule}`)), el("small", "", facts));
  row.dataset.severity = alert.severity;
  return row;
}

/** The latest rejected messages of a bike, for the engineer who must correct them. */
async function showRejects(node, name) {
  const head = el("h2", "", words.say("bike.rejects"));
  const asked = new URLSearchParams({ ...name, limit: String(REJECTS) });
  const answer = await read(`/rejects?${asked}`).catch(() => null);
  const says = (key) => el("p", "dim", words.say(key));
  if (!answer) node.replaceChildren(head, says("bike.rejects.failed"));
  else if (!answer.rejects.length) node.replaceChildren(head, says("bike.rejects.none"));
  else node.replaceChildren(head, ...answer.rejects.map(rejectRow));
}

function rejectRow({ payload, reason, received_at, detail, index, topic }) {
  const code = el("code", "payload", payload);
  code.tabIndex = 0; // it scrolls
  return el("div", "reject",
    el("div", "", el("b", "", words.say(`reject.${reason}`)), " ", el("code", "dim", reason),
      el("time", "dim", words.time(received_at))),
    el("p", "", detail,
      index == null ? "" : words.say("bike.rejects.item", { n: index + 1 })),
    el("small", "", topic), code);
}
