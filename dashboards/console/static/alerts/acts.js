// @ts-check
// What people do about an alert: which acts there are in which state, and how each is asked for.
// Every act goes through the API, which decides; for ten seconds whoever did it can take it back.
import { askFor, toast } from "../page/dialog.js";
import { config, keys, live, words } from "../page/frame.js";
import { ask } from "../page/session.js";

const UNDO_MS = 10_000, SLOW_MS = 700;
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

// One act after the other: who presses a key again while it is under way has pressed it once, and
// "undo" is about the act that was asked for last, not the one before.
let under_way = null;

export async function act(alert, name) {
  if (under_way) return;
  const { form } = ACTS[name], what = words.subject(alert);
  if (!form) {
    const { wrong } = await post(alert, name, {});
    if (wrong) return refuse(wrong);
  } else {
    const send = async (values) => (await post(alert, name, bodyOf(name, values))).wrong;
    const done = await askFor(words, { title: `${words.say(`act.${name}`)} · ${what}`, fields: form(), go: words.say(`act.${name}`), send });
    if (!done) return;
  }
  toast(words.say(`act.${name}.done`, { what }), {
    button: `${words.say("act.undo")} (Z)`, act: undo, for_ms: UNDO_MS,
  });
}

let last = null;

async function undo() {
  await under_way;
  if (!last || performance.now() > last.until) return toast(words.say("act.undo.nothing"));
  const { alert } = last;
  last = null;
  const { wrong } = await post(alert, "undo", {});
  if (wrong) refuse(wrong);
  else toast(words.say("act.undo.done"));
}

function refuse(why) {
  toast(why, { kind: "bad", for_ms: 8000 });
}

// The alert as it is now, or `{wrong}`: in words why nothing was done. Whoever has to wait is told.
async function post(alert, name, body) {
  let arrived = () => {};
  const slow = setTimeout(() => (arrived = toast(words.say("act.sending"), { for_ms: 60_000 })), SLOW_MS);
  const sent = send(alert, name, body);
  under_way = sent;
  const said = await sent;
  under_way = null;
  clearTimeout(slow);
  arrived();
  return said;
}

async function send(alert, name, body) {
  try {
    const answer = await ask(`/api/v1/alerts/${encodeURIComponent(alert.alert_id)}/${name}`, { body });
    const said = await answer.json();
    if (!answer.ok) return { wrong: words.refusal(said) };
    if (name !== "undo") last = { alert, until: performance.now() + UNDO_MS };
    live.emit("alert", said);
    return said;
  } catch {
    return { wrong: words.say("alerts.failed") };
  }
}

// Binds the keys to whatever alert is selected at the moment.
export function bindActs(selected) {
  if (!config.may_act) return;
  for (const key of new Set(Object.values(ACTS).map((each) => each.key))) {
    const names = Object.keys(ACTS).filter((name) => ACTS[name].key === key);
    keys.bind(key, `act.${names[0]}`, (event) => {
      if (event.repeat) return; // a key that is held down is pressed once
      const alert = selected();
      const name = alert && names.find((each) => ACTS[each].states.includes(alert.state));
      if (name) act(alert, name);
      else if (alert) toast(words.say("alerts.refused", { why: words.say(`alert.${alert.state}`) }), { kind: "bad" });
    });
  }
  keys.bind("z", "act.undo", undo);
}
