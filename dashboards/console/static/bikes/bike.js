// @ts-check
// One bike: its state now, and one of its days.
import { alertPath, factsOf, followAlerts } from "../alerts/list.js";
import { el, fill, link, write } from "../page/dom.js";
import { config, keys, live, read, start, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { dayFigures, DayMap, DayPicker } from "./day.js";
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
  const picker = new DayPicker(() => load());
  const show = dayFigures(figures);
  main.replaceChildren(
    el("section", "panel detail bike-side",
      el("div", "", back, el("h1", "bike-title", bike_id, el("small", "", vendor))), now,
      el("div", "day-head", el("h2", "", words.say("day.title")), picker.node),
      figures, alertsOf(key), rejects),
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
      show(found);
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
    if (this.liveness !== liveness) this.mark.replaceChildren(liveBadge(liveness));
    this.liveness = liveness;
    write(this.word, words.say(`live.${liveness}`));
    write(this.hint, words.say(`live.${liveness}.hint`));
    this.battery.show(bike);
    this.low.hidden = !isLow(bike);
    const facts = [
      zoneText(bike), speedText(bike), at && words.say("bike.at", { time: words.time(at) }),
      ageText(bike),
      accuracy_m != null && words.say("bike.accuracy", { n: Math.round(accuracy_m) }),
      vehicle_state != null && `${words.say("bike.vehicle_state")} ${vehicle_state}`,
    ];
    write(this.facts, facts.filter((fact) => fact && fact !== "–").join(" · "));
  }
}

/** The open alerts about one bike, by its key. */
function alertsOf(bike) {
  let drawn = "";
  const list = el("div");
  const show = (/** @type {Alert[]} */ alerts) => {
    const said = JSON.stringify(alerts.map((alert) => [alert, words.since(alert.opened)]));
    if (said === drawn) return;
    drawn = said;
    const none = !alerts.length && el("p", "dim", words.say("bike.alerts.none"));
    fill(list, alerts.map(alertRow), none);
  };
  show([]);
  followAlerts((alerts) => show(alerts.filter((alert) => alert.bike === bike)));
  return el("section", "card", el("h2", "", words.say("bike.alerts")), list);
}

function alertRow(alert) {
  const facts = [words.since(alert.opened), ...factsOf(alert)].join(" · ");
  const is = { className: "bike-alert", href: alertPath(alert.alert_id),
    data: { severity: alert.severity } };
  return el("a", is, el("b", "", words.say(`rule.${alert.rule}`)), el("small", "", facts));
}

/** The latest rejected messages of a bike, for the engineer who must correct them. */
async function showRejects(node, name) {
  const asked = new URLSearchParams({ ...name, limit: String(REJECTS) });
  const rejects = await read(`/rejects?${asked}`).then((answer) => answer.rejects, () => null);
  const empty = rejects ? words.say("bike.rejects.none") : words.say("bike.rejects.failed");
  fill(node, el("h2", "", words.say("bike.rejects")), rejects?.map(rejectRow),
    !rejects?.length && el("p", "dim", empty));
}

function rejectRow({ payload, reason, received_at, detail, index, topic }) {
  const code = el("code", { className: "payload", tabIndex: 0 }, payload); // it scrolls
  return el("div", "reject",
    el("div", "", el("b", "", words.say(`reject.${reason}`)), " ", el("code", "dim", reason),
      el("time", "dim", words.time(received_at))),
    el("p", "", detail,
      index == null ? "" : words.say("bike.rejects.item", { n: index + 1 })),
    el("small", "", topic), code);
}
