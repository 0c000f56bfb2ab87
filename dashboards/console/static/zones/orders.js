// @ts-check
// Policies in words, and orders about zones (pauses, campaigns): a form asks, the API decides.
import { askFor, toast } from "../page/dialog.js";
import { button, el, fill } from "../page/dom.js";
import { config, keys, live, read, words } from "../page/frame.js";
import { change } from "../page/session.js";
import { listed, toLocal } from "../page/words.js";

const REASONS = ["storm", "closure", "event", "works"];
const WINDOWS = ["shift", "day", "week"];
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MIN = 1440;
const CHANGES = 8; // zones that the form of a campaign tells about

const two = (n) => String(n).padStart(2, "0");

/** Sends an order; what refuses it is told at the fields it is about, the rest of the whole.
 * @param {string} path @param {Record<string, unknown>} body @param {string[]} names of the fields,
 * as the API's problems name them
 * @returns {Promise<{text: string, fields?: Record<string, string>} | null>} */
async function send(path, body, names = Object.keys(body)) {
  const answer = await change(path, "POST", body);
  if (answer?.ok) return null;
  const all = answer && listed(answer.body, words);
  if (!all) return { text: String(words.refusal(answer)) };
  /** @type {Record<string, string>} */ const fields = {};
  for (const { where, text } of all) {
    const name = where.split(".").find((part) => names.includes(part)) ?? "";
    fields[name] = [fields[name], text].filter(Boolean).join(words.say("join.more"));
  }
  return { fields, text: fields[""] ?? "" };
}

/** Asks for an order by a form, sends it, and says that it was done. @param {Order} order */
async function order({ go, subject, done, note, fields = [reason()], preview, send }) {
  const title = subject ? `${words.say(go)} · ${subject}` : words.say(go);
  const given = await askFor({ title, note, fields, go: words.say(go), preview, send });
  if (given) toast(words.say(done, { what: subject || given.name }));
  return given !== null;
}

/** @returns {Field} */
function reason(more = {}) {
  return { name: "reason", label: words.say("act.reason"), ...more };
}

function zoneRoute(status, what) {
  return `/zones/${encodeURIComponent(status.zone_id)}/${what}`;
}

/** The local time that is so many minutes from now, as a field for a moment has it. */
function localIn(minutes) {
  const now = words.local(live.now());
  const minute = now.minute + Math.round(minutes);
  return new Date(Date.parse(`${now.date}T00:00Z`) + minute * 60_000).toISOString().slice(0, 16);
}

/** When a pause may end. @param {Policy | null} policy */
function untils(policy) {
  const spans = (policy?.hours ?? []).map(readSpan), now = words.local(live.now());
  const hour_ms = live.now() + 3_600_000; // where the clocks change it is another time on them
  const left = { shift: leftOfShift(spans, now), tomorrow: untilNextDay(spans, now) };
  const ends = Object.entries(left).filter(([, minutes]) => minutes)
    .map(([name, minutes]) => [name, localIn(minutes)]);
  const options = [["hour", toLocal(hour_ms, config.timezone)], ...ends].map(([name, at]) => ({
    value: name === "hour" ? new Date(hour_ms).toISOString() : at,
    text: words.say(`pause.until.${name}`, { time: at.slice(11), date: at.slice(5, 10) }),
  }));
  return [...options, { value: "", text: words.say("pause.until.custom") }];
}

export async function pause(/** @type {ZoneStatus} */ status) {
  const policy = await read(zoneRoute(status, "policy")).catch(() => null);
  const options = untils(policy);
  const hours = policy && words.say("policy.hours", { hours: policyHours(policy) });
  return order({
    go: "pause", subject: words.zoneName(status), done: "pause.done",
    note: [words.say("pause.note"), hours].filter(Boolean).join(" "),
    fields: [
      reason({ required: true, list: REASONS.map((name) => words.say(`pause.reason.${name}`)) }),
      { name: "until", label: words.say("pause.until"), type: "choice", options,
        value: options[0].value },
      { name: "at", label: words.say("pause.at"), type: "moment", required: true,
        only: ["until", ""] },
    ],
    send: async ({ reason, until, at }) => {
      const refused = await send(zoneRoute(status, "pause"), { reason, until: until || at });
      if (!refused?.fields || until) return refused;
      return { ...refused, fields: { ...refused.fields, at: refused.fields.until } };
    },
  });
}

export function resume(/** @type {ZoneStatus} */ status) {
  return order({
    go: "resume", subject: words.zoneName(status), done: "resume.done",
    send: (given) => send(zoneRoute(status, "resume"), given),
  });
}

export function startCampaign(/** @type {string[]} */ zoneIds) {
  const zones = [...words.zones.values()]
    .map((zone) => ({ value: zone.zone_id, text: `${words.zoneName(zone)} · ${zone.zone_id}` }));
  const chosen = ({ value }) => Number(zoneIds.includes(value)); // these stand first
  zones.sort((a, b) => chosen(b) - chosen(a) || a.value.localeCompare(b.value));
  const windows = WINDOWS.map((value) => ({ value, text: words.say(`window.${value}`) }));
  const kept = { value: "", text: words.say("campaign.kept") };
  /** @returns {Field} */
  const field = (name, hint = "", more = {}) =>
    ({ name, label: words.say(`campaign.${name}`), hint: hint && words.say(hint), ...more });
  const fields = [
    field("name", "campaign.name.hint", { required: true }),
    reason(),
    field("zones", "", { type: "several", options: zones, value: zoneIds }),
    field("from", "campaign.from.hint", { type: "moment" }),
    field("to", "", { type: "moment", required: true, value: localIn(DAY_MIN) }),
    field("frequency", "campaign.duration.hint"),
    field("target", "campaign.kept.hint"),
    field("window", "", { type: "choice", options: [kept, ...windows] }),
    field("look_back", "campaign.duration.hint"),
  ];
  return order({
    go: "campaign.start", subject: "", done: "campaign.done", note: words.say("campaign.note"),
    fields, preview: changesOf(),
    send: (values) => {
      if (!values.zones.length) return { fields: { zones: words.say("campaign.zones.none") } };
      const body = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      const percent = Number((body.target ?? "0").replace(/\s*%$/, ""));
      const isNumber = Number.isFinite(percent);
      if (!isNumber) return { fields: { target: words.say("campaign.target.number") } };
      if (body.target) body.target = percent / 100;
      return send("/campaigns", body, fields.map(({ name }) => name));
    },
  });
}

/** What a campaign would change: for each of its zones what is asked now, and then. */
function changesOf() {
  /** @type {Map<string, Promise<ZonePolicy | null>>} */ const known = new Map();
  const policyOf = (zoneId) => {
    if (!known.has(zoneId)) {
      known.set(zoneId, read(zoneRoute({ zone_id: zoneId }, "policy")).catch(() => null));
    }
    return known.get(zoneId);
  };
  return async ({ zones, frequency, target, window, look_back }) => {
    const policies = await Promise.all(zones.slice(0, CHANGES).map(policyOf));
    const rows = policies.map((policy, i) => policy && el("li", "",
      el("b", "", words.zone(zones[i])), words.say("join.of"), [
        ["frequency", words.duration(policy.frequency_s), frequency],
        ["target", words.percent(policy.target), target && `${target.replace(/\s*%$/, "")}%`],
        ["window", words.say(`window.${policy.window}`), window && words.say(`window.${window}`)],
        ["look_back", policy.look_back_s == null ? "–" : words.duration(policy.look_back_s),
          look_back],
      ].flatMap(([key, from, to], j) => [j ? " · " : "", el("span", to ? "changed" : "dim",
        words.say(`campaign.key.${key}`, { n: to && to !== from ? `${from} → ${to}` : from }))])));
    const more = zones.length - policies.length;
    return [zones.length > 0 && el("b", "", words.say("campaign.changes")), el("ul", "", rows,
      more > 0 && el("li", "dim", words.say("campaign.changes.more", { n: more })))];
  };
}

export function endCampaign(/** @type {Campaign} */ { name }) {
  return order({
    go: "campaign.end", subject: name, done: "campaign.ended", note: words.say("campaign.end.note"),
    send: (given) => send(`/campaigns/${encodeURIComponent(name)}/end`, given),
  });
}

/** Buttons and keys of orders about a zone; `find` gives its status, `then` gets what was done. */
export class OrderButtons {
  node = el("span", "buttons");
  press = button("button", "", () => this.order());

  /** @param {() => ZoneStatus | null} find @param {(what: string) => unknown} then */
  constructor(find, then) {
    this.find = find;
    this.then = then;
    if (!config.may_act) return;
    const campaign = async () => {
      const status = find();
      if (await startCampaign(status ? [status.zone_id] : [])) then("campaign");
    };
    this.node.append(this.press, button("button main", words.say("campaign.start"), campaign, "o"));
    keys.bind("p", "pause", () => this.order()).bind("o", "campaign.start", campaign);
  }

  async order() {
    const status = this.find();
    if (status && await (status.state === "paused" ? resume(status) : pause(status))) {
      this.then("order");
    }
  }

  show(title = "") {
    const status = this.find();
    Object.assign(this.press, { title, disabled: !status });
    const go = status?.state === "paused" ? "resume" : "pause";
    fill(this.press, words.say(go), el("kbd", "", "P"));
  }
}

/** A line of patrol hours, as the API writes it: "Mon-Fri,Sun 08:00-12:00"; a span that ends before
 * it begins goes on over midnight. Days count from Monday = 0, times are minutes of the day.
 * @param {string} line @returns {HourSpan} */
export function readSpan(line) {
  const found = /^(.*\S)\s+(\d+):(\d+)-(\d+):(\d+)$/.exec(line) ?? ["", "", "0", "0", "0", "0"];
  const [hour, minute, hourTo, minuteTo] = found.slice(2).map(Number);
  const from = hour * 60 + minute, to = hourTo * 60 + minuteTo;
  return {
    ranges: found[1].toLowerCase().split(",").map((part) => {
      const ends = part.split("-").map((name) => DAYS.indexOf(name.trim()));
      return [ends[0], ends[ends.length - 1]];
    }),
    from, to: to > from ? to : to + DAY_MIN,
  };
}

/** Each day of the week on which a span begins. @param {HourSpan} span */
function daysOf({ ranges }) {
  return ranges.flatMap(([first, last]) => Array.from(
    { length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7));
}

/** Minutes from a local time to the end of the patrol hours it lies in; null outside of them. */
export function leftOfShift(/** @type {HourSpan[]} */ spans, { weekday, minute }) {
  for (const span of spans) {
    for (const day of daysOf(span)) {
      const since = ((weekday - day + 7) % 7) * DAY_MIN + minute;
      if (since >= span.from && since < span.to) return span.to - since;
    }
  }
  return null;
}

/** Minutes from a local time to the first patrol hours of a later day; null when there are none. */
function untilNextDay(/** @type {HourSpan[]} */ spans, { weekday, minute }) {
  const begins = spans.flatMap((span) => daysOf(span)
    .map((day) => (((day - weekday + 6) % 7) + 1) * DAY_MIN + span.from - minute));
  return begins.length ? Math.min(...begins) : null;
}

/** "Mon–Fri 08:00–12:00, 13:30–18:00; Sat 09:00–12:00": spans of the same days stand together. */
function policyHours(/** @type {Policy} */ { hours }) {
  const byDays = new Map();
  for (const { ranges, from, to } of hours.map(readSpan)) {
    const days = ranges.map(daysText).join(words.say("policy.and_day"));
    byDays.set(days, [...(byDays.get(days) ?? []), `${clock(from)}–${clock(to)}`]);
  }
  return [...byDays].map(([days, times]) => `${days} ${times.join(words.say("policy.and"))}`)
    .join(words.say("policy.and_days"));
}

function daysText([first, last]) {
  if (first === 0 && last === 6) return words.say("policy.daily");
  const [from, to] = [first, last].map((day) => words.say(`day.${day}`));
  return first === last ? from : words.say("policy.days", { first: from, last: to });
}

function clock(minute) {
  const next = minute > DAY_MIN, of = next ? minute - DAY_MIN : minute;
  return `${next ? words.say("policy.next_day") : ""}${two(Math.floor(of / 60))}:${two(of % 60)}`;
}

function targetText({ window, target }) {
  return words.say(`policy.target.${window}`, { target: words.percent(target) });
}

/** A policy without its hours. @param {Policy} policy */
export function policyBrief(policy) {
  const time = words.duration(policy.frequency_s);
  return words.prose(words.say("policy.brief", { time }), targetText(policy));
}

/** Sentences; each is about one thing, so that each can be read alone. @param {Policy} policy */
export function policySentences(policy) {
  const { frequency_s, min_cells, look_back_s, auto_close, close_hold_s } = policy;
  const lasts = (key, seconds, more = {}) =>
    words.say(key, { time: words.duration(seconds), ...more });
  return [
    lasts("policy.frequency", frequency_s, { hours: policyHours(policy) }),
    targetText(policy), words.say("policy.patrol", { n: min_cells }),
    ...(look_back_s == null ? [] : [lasts("policy.look_back", look_back_s)]),
    auto_close ? lasts("policy.closes", close_hold_s) : words.say("policy.stays"),
  ];
}
