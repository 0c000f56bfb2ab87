// @ts-check
// The acts of people on an alert: which there are in which state, and the form of each. The API
// decides about every act; for ten seconds its author can undo it.
import { askFor, toast } from "../page/dialog.js";
import { config, keys, live, words } from "../page/frame.js";
import { change } from "../page/session.js";

const UNDO_MS = 10_000, SLOW_MS = 700;
const UNTILS_H = [0.5, 1, 2, 4, 8];
const OPEN = ["active", "acknowledged", "returned", "shelved"];

/** @type {Record<string, {key: string, states: string[], form?: () => Field[]}>} */
export const ACTS = {
  acknowledge: { key: "a", states: ["active"] },
  close: { key: "c", states: ["returned"], form: () => [reason(false)] },
  assign: { key: "d", states: OPEN, form: () => [
    { name: "to", label: words.say("act.assign.to"), required: true, list: [...people].sort() },
    reason(false),
  ] },
  shelve: { key: "s", states: ["active", "acknowledged", "returned"], form: shelveForm },
  unshelve: { key: "s", states: ["shelved"] },
  note: { key: "n", states: OPEN, form: () => [
    { name: "text", label: words.say("act.note.text"), type: "area", required: true },
  ] },
};

export function possible(/** @type {Alert} */ alert) {
  if (!config.may_act) return [];
  return Object.keys(ACTS).filter((name) => ACTS[name].states.includes(alert.state));
}

// People who were assigned before; the form offers them again.
const people = new Set();
export function remember(alert) {
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

// Acts are sent one after the other: a key pressed again meanwhile counts once, and "undo" is about
// the latest act.
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
