// @ts-check
// A list of alerts, the urgent ones first; one of them is selected, and acts go to that one.
import { ageText, bikeOf, keyOf, pageOf, percentText, zoneText } from "../bikes/facts.js";
import { askFor, toast } from "../page/dialog.js";
import { button, el, fill, link, menu, place, write, zoneLink } from "../page/dom.js";
import { config, keys, live, words } from "../page/frame.js";
import { RowList } from "../page/lists.js";
import { later } from "../page/live.js";
import { change } from "../page/session.js";

export const OPEN = new Set(["active", "acknowledged", "returned", "shelved"]);
const WEIGHT = { critical: 0, warning: 1, info: 2 };
const PLACE = { active: 0, acknowledged: 1, returned: 2, shelved: 3 };

/** The more severe first, of those what nobody attends to, then the older. */
export function byUrgency(/** @type {Alert} */ a, /** @type {Alert} */ b) {
  return (WEIGHT[a.severity] ?? 9) - (WEIGHT[b.severity] ?? 9)
    || (PLACE[a.state] ?? 9) - (PLACE[b.state] ?? 9)
    || Date.parse(a.opened) - Date.parse(b.opened) || a.alert_id.localeCompare(b.alert_id);
}

export class AlertList extends RowList {
  /** @param {HTMLElement} body @param {AlertRows} rows */
  constructor(body, { onPick = () => {}, opens, empty = "alerts.empty" } = {}) {
    super(body, { role: "option", path: alertPath, opens, onPick: (row) => onPick(row.alert) });
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
      const { state, opened } = alert;
      write(row.age, OPEN.has(state) ? words.since(opened) : words.time(opened));
      write(row.why, whyOf(alert));
      this.rows.set(alert.alert_id, row);
    }
    if (!this.rows.has(this.selected)) this.selected = null;
    const nodes = [...this.rows.values()].map((row) => row.node);
    place(this.body, nodes.length ? nodes : [this.nothing]);
  }

  fill(row, alert) {
    const { alert_id, state, severity, bike, rule } = alert;
    row.age = el("span", "age");
    row.why = el("small", "why");
    const about = bike ? subjectLink(alert) : null, says = words.say(`rule.${rule}`);
    const opens = link("alert-link", alertPath(alert_id), says, " · ",
      about ? "" : words.subject(alert));
    fill(row.node, el("b", "", severityMark(alert), " ", opens, about),
      el("span", "two", el("small", "", row.age, " · ", factsOf(alert).join(" · ")), row.why),
      actButtons(alert));
    Object.assign(row.node.dataset, { alert: alert_id, state, severity });
  }
}

/** Buttons of what may be done: the first, and all or a menu of the others. @param {Alert} alert
 * @returns {HTMLElement[]} */
export function actButtons(alert, { all = false } = {}) {
  const buttons = possible(alert).map((name, i) => {
    const { key } = ACTS[name];
    const is = { className: i ? "button" : "button main", title: key.toUpperCase() };
    const press = button(is, words.say(`act.${name}`), async (event) => {
      event.stopPropagation();
      press.disabled = true;
      await act(alert, name);
      press.disabled = false;
    }, all ? key : "");
    return press;
  });
  if (all || buttons.length < 2) return buttons;
  return [buttons[0], menu(words.say("alerts.more"), buttons.slice(1))];
}

export function severityMark(/** @type {Alert} */ { severity }) {
  return el("span", `severity ${severity}`, words.say(`severity.${severity}`));
}

/** The subject of an alert, which leads to its page. @param {Alert} alert */
export function subjectLink(alert) {
  const name = words.subject(alert), { zone_id, bike } = alert;
  if (zone_id) return zoneLink(zone_id, name);
  return bike ? link("bike-link", pageOf(bikeOf(bike)), name) : el("span", "", name);
}

/** @type {Map<string, Bike>} by key, as the stream tells them */ const bikes = new Map();
live.on("bike", (bike) => bikes.set(keyOf(bike), bike));

/** Why it is in its state, and what proves that; of a bike its charge and place now. The figures of
 * a zone go on, and stand with the zone. @param {Alert} alert */
export function whyOf({ reason, evidence, state, zone_id, bike: key }) {
  const bike = OPEN.has(state) && key && bikes.get(key);
  const facts = bike ? [zoneText(bike), ageText(bike), bike.battery_percent != null
    && words.say("bike.battery", { percent: percentText(bike.battery_percent) })]
    : OPEN.has(state) && zone_id ? [] : [evidenceText(evidence)];
  return [words.reason(reason), ...facts].filter(Boolean).join(" · ");
}

/** Facts that prove a row, each in words; a fact without words of its own is left to the API. */
export function evidenceText(evidence) {
  const known = Object.entries(evidence).filter(([key]) => words.knows(`evidence.${key}`));
  return known.map(([key, value]) => {
    const text = key.endsWith("_s") ? words.duration(value)
      : key.endsWith("_ms") ? words.time(value)
      : /(ratio|share)$|^target$/.test(key) ? words.percent(value) : String(value);
    return words.say(`evidence.${key}`, { n: text });
  }).join(" · ");
}

export function alertPath(alertId) {
  return `/alerts/${encodeURIComponent(alertId)}`;
}

/** The facts in a row beside rule and subject. @param {Alert} alert */
export function factsOf(alert) {
  const { state, acknowledged_by, assigned_to, shelved_until, reopened, opened, closed } = alert;
  const until = shelved_until && words.time(shelved_until);
  const took = closed && words.duration((Date.parse(closed) - Date.parse(opened)) / 1000);
  return [
    words.say(`alert.${state}`),
    took && words.say("alerts.took", { time: took, who: words.actor(alert.closed_by) }),
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

const UNDO_MS = 10_000, SLOW_MS = 700;
const UNTILS_H = [0.5, 1, 2, 4, 8];

// The acts of people on an alert: which there are in which state, and the form of each. The API
// decides about every act; for ten seconds its author can undo it.
/** @type {Record<string, {key: string, states: string[], form?: () => Field[]}>} */
export const ACTS = {
  acknowledge: { key: "a", states: ["active"] },
  close: { key: "c", states: ["returned"], form: () => [reason(false)] },
  assign: { key: "d", states: [...OPEN], form: () => [
    { name: "to", label: words.say("act.assign.to"), required: true, list: [...people].sort() },
    reason(false),
  ] },
  shelve: { key: "s", states: ["active", "acknowledged", "returned"], form: shelveForm },
  unshelve: { key: "s", states: ["shelved"] },
  note: { key: "n", states: [...OPEN], form: () => [
    { name: "text", label: words.say("act.note.text"), type: "area", required: true },
  ] },
};

export function possible(/** @type {Alert} */ alert) {
  if (!config.may_act) return [];
  return Object.keys(ACTS).filter((name) => ACTS[name].states.includes(alert.state));
}

// People who were assigned before; the form offers them again.
const people = new Set();
function remember(alert) {
  if (alert.assigned_to) people.add(alert.assigned_to);
}

/** @returns {Field} */
function reason(required) {
  return { name: "reason", label: words.say("act.reason"), type: "text", required };
}

/** @returns {Field[]} */
function shelveForm() {
  const lasting = (hours) => words.say("act.shelve.for", { time: words.duration(hours * 3600) });
  const options = UNTILS_H.map((hours) => ({ value: `+${hours}`, text: lasting(hours) }));
  options.push({ value: "", text: words.say("act.shelve.at") });
  return [
    { name: "until", label: words.say("act.shelve.until"), type: "choice", options, value: "+1" },
    { name: "at", label: words.say("act.shelve.moment"), type: "moment", required: true,
      only: ["until", ""] },
    reason(true),
  ];
}

function bodyOf(name, values) {
  if (name !== "shelve") return values;
  const { until, at, reason } = values;
  const ends = () => new Date(live.now() + Number(until) * 3_600_000).toISOString();
  return { until: until ? ends() : at, reason };
}

// One act is sent at a time: a key pressed again meanwhile counts once; undo is about the latest.
/** @type {Promise<string | null> | null} */ let under_way = null;
/** @type {{alert: Alert, until: number} | null} */ let last = null;

/** Asks what an act needs to know, and does it. @param {Alert} alert @param {string} name */
export async function act(alert, name) {
  if (under_way) return;
  const { form } = ACTS[name], what = words.subject(alert), go = words.say(`act.${name}`);
  if (!form) {
    const wrong = await post(alert, name, {});
    if (wrong) return refuse(wrong);
  } else {
    const send = (values) => post(alert, name, bodyOf(name, values));
    if (!(await askFor({ title: `${go} · ${what}`, fields: form(), go, send }))) return;
  }
  const again = { button: `${words.say("act.undo")} (Z)`, act: undo, for_ms: UNDO_MS };
  toast(words.say(`act.${name}.done`, { what }), again);
}

async function undo() {
  await under_way;
  if (!last || performance.now() > last.until) return toast(words.say("act.undo.nothing"));
  const { alert } = last;
  last = null;
  const wrong = await post(alert, "undo", {});
  if (wrong) refuse(wrong);
  else toast(words.say("act.undo.done"));
}

function refuse(why) {
  toast(why, { kind: "bad", for_ms: 8000 });
}

/** Sends an act. In words why nothing was done, or null. Whoever has to wait is told. */
async function post(alert, name, body) {
  let arrived = () => {};
  const wait = () => (arrived = toast(words.say("act.sending"), { for_ms: 60_000 }));
  const slow = setTimeout(wait, SLOW_MS);
  under_way = send(alert, name, body);
  const wrong = await under_way;
  under_way = null;
  clearTimeout(slow);
  arrived();
  return wrong;
}

async function send(alert, name, body) {
  const path = `/alerts/${encodeURIComponent(alert.alert_id)}/${name}`;
  const answer = await change(path, "POST", body);
  if (!answer?.ok) return words.refusal(answer);
  if (name !== "undo") last = { alert, until: performance.now() + UNDO_MS };
  live.emit("alert", answer.body);
  return null;
}

/** Binds the keys to whatever alert is selected at the moment. */
export function bindActs(/** @type {() => Alert | null | undefined} */ selected) {
  if (!config.may_act) return;
  for (const key of new Set(Object.values(ACTS).map((each) => each.key))) {
    const names = Object.keys(ACTS).filter((name) => ACTS[name].key === key);
    keys.bind(key, `act.${names[0]}`, (event) => {
      if (event.repeat) return; // a key that is held down is pressed once
      const alert = selected();
      const name = alert && names.find((each) => ACTS[each].states.includes(alert.state));
      const why = alert && words.say(`alert.${alert.state}`);
      if (name) act(alert, name);
      else if (alert) toast(words.say("alerts.refused", { why }), { kind: "bad" });
    });
  }
  keys.bind("z", "act.undo", undo);
}
