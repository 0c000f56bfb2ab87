// What people do about an alert: which acts there are in which state, and how each is asked for.
// Every act goes through the API, which decides; for ten seconds whoever did it can take it back.
import { askFor, toast } from "./dialog.js";
import { config, keys, live, words } from "./frame.js";
import { ask } from "./session.js";

const UNDO_MS = 10_000;
const OPEN = ["active", "acknowledged", "returned", "shelved"];

export const ACTS = {
  acknowledge: { key: "a", states: ["active"] },
  close: { key: "c", states: ["returned"], form: () => [reason(false)] },
  assign: { key: "d", states: OPEN, form: () => [{ name: "to", label: words.say("act.assign.to"), required: true, list: known() }, reason(false)] },
  shelve: { key: "s", states: ["active", "acknowledged", "returned"], form: shelveForm },
  unshelve: { key: "s", states: ["shelved"] },
  note: { key: "n", states: OPEN, form: () => [{ name: "text", label: words.say("act.note.text"), type: "area", required: true }] },
};

export function possible(alert) {
  return config.may_act ? Object.keys(ACTS).filter((name) => ACTS[name].states.includes(alert.state)) : [];
}

// Whom somebody has been sent before: offered again.
const people = new Set();
function known() {
  return [...people].sort();
}

export function remember(alert) {
  if (alert.assigned_to) people.add(alert.assigned_to);
}

function reason(required) {
  return { name: "reason", label: words.say("act.reason"), type: "text", required };
}

const UNTILS_H = [0.5, 1, 2, 4, 8];

function shelveForm() {
  const options = UNTILS_H.map((hours) => ({ value: `+${hours}`, text: words.say("act.shelve.for", { time: words.duration(hours * 3600) }) }));
  return [
    { name: "until", label: words.say("act.shelve.until"), type: "choice", options: [...options, { value: "", text: words.say("act.shelve.at") }], value: "+1" },
    { name: "at", label: words.say("act.shelve.moment"), type: "moment", required: true, only: ["until", ""] },
    reason(true),
  ];
}

function bodyOf(name, values) {
  if (name !== "shelve") return values;
  const until = values.until ? new Date(live.now() + Number(values.until) * 3_600_000).toISOString() : values.at;
  return { until, reason: values.reason };
}

export async function act(alert, name) {
  const { form } = ACTS[name];
  let values = {};
  if (form) {
    values = await askFor(words, { title: `${words.say(`act.${name}`)} · ${words.subject(alert)}`, fields: form(), go: words.say(`act.${name}`) });
    if (!values) return;
  }
  const answer = await post(alert, name, bodyOf(name, values));
  if (!answer) return;
  toast(words.say(`act.${name}.done`, { what: words.subject(alert) }), {
    button: `${words.say("act.undo")} (Z)`, act: undo, for_ms: UNDO_MS,
  });
  last = { alert, until: performance.now() + UNDO_MS };
}

let last = null;

async function undo() {
  if (!last || performance.now() > last.until) return toast(words.say("act.undo.nothing"));
  const { alert } = last;
  last = null;
  if (await post(alert, "undo", {})) toast(words.say("act.undo.done"));
}

async function post(alert, name, body) {
  try {
    const answer = await ask(`/api/v1/alerts/${encodeURIComponent(alert.alert_id)}/${name}`, { body });
    const said = await answer.json();
    if (!answer.ok) throw new Error(words.refusal(said));
    live.emit("alert", said);
    return said;
  } catch (error) {
    toast(error instanceof TypeError ? words.say("alerts.failed") : error.message, { kind: "bad", for_ms: 8000 });
    return null;
  }
}

// Binds the keys to whatever alert is selected at the moment.
export function bindActs(selected) {
  if (!config.may_act) return;
  for (const key of new Set(Object.values(ACTS).map((each) => each.key))) {
    const names = Object.keys(ACTS).filter((name) => ACTS[name].key === key);
    keys.bind(key, `act.${names[0]}`, () => {
      const alert = selected();
      const name = alert && names.find((each) => ACTS[each].states.includes(alert.state));
      if (name) act(alert, name);
      else if (alert) toast(words.say("alerts.refused", { why: words.say(`alert.${alert.state}`) }), { kind: "bad" });
    });
  }
  keys.bind("z", "act.undo", undo);
}
