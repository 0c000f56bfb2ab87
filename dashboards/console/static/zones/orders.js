// @ts-check
// What is ordered about zones: pauses and campaigns. Each is asked for by a form; the API decides.
import { askFor, toast } from "../page/dialog.js";
import { live, read, words } from "../page/frame.js";
import { ask } from "../page/session.js";
import { listed } from "../page/words.js";

const REASONS = ["storm", "closure", "event", "works"];

// Sends an order; what refuses it is told at the fields it is about.
async function send(path, body, names) {
  try {
    const answer = await ask(`/api/v1${path}`, { body });
    if (answer.ok) return null;
    return refusalOf(await answer.json(), names);
  } catch {
    return { text: words.say("alerts.failed") };
  }
}

// The parts of a problem document by the fields that they name; the rest is about the whole.
function refusalOf(problem, names) {
  const all = listed(problem, words);
  if (!all) return { text: words.refusal(problem) };
  const fields = {}, rest = [];
  for (const { where, text } of all) {
    const name = where.split(".").find((part) => names.includes(part));
    if (name) fields[name] = [fields[name], text].filter(Boolean).join("; ");
    else rest.push(text);
  }
  return { fields, text: rest.join("; ") };
}

// Local times at which a pause may end, so many minutes from now.
function localIn(minutes) {
  const now = words.local(live.now());
  const all = now.minute + Math.round(minutes), day = new Date(`${now.date}T00:00Z`);
  day.setUTCDate(day.getUTCDate() + Math.floor(all / DAY_MIN));
  const two = (n) => String(n).padStart(2, "0"), minute = ((all % DAY_MIN) + DAY_MIN) % DAY_MIN;
  return `${day.toISOString().slice(0, 10)}T${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function untils(policy) {
  const spans = (policy?.hours ?? []).map(readSpan), now = words.local(live.now());
  const presets = [["hour", 60], ["shift", leftOfShift(spans, now)], ["tomorrow", untilNextDay(spans, now)]];
  const options = presets.filter(([, minutes]) => minutes).map(([name, minutes]) => {
    const value = localIn(minutes);
    return { value, text: words.say(`pause.until.${name}`, { time: value.slice(11), date: value.slice(5, 10) }) };
  });
  return [...options, { value: "", text: words.say("pause.until.custom") }];
}

export async function pause(status) {
  const policy = await read(`/zones/${encodeURIComponent(status.zone_id)}/policy`).catch(() => null);
  const options = untils(policy);
  const done = await askFor(words, {
    title: `${words.say("pause")} · ${words.zoneName(status)}`,
    note: [words.say("pause.note"), policy && words.say("policy.hours", { hours: policyHours(policy) })].filter(Boolean).join(" "),
    fields: [
      { name: "reason", label: words.say("act.reason"), required: true, list: REASONS.map((name) => words.say(`pause.reason.${name}`)) },
      { name: "until", label: words.say("pause.until"), type: "choice", options, value: options[0].value },
      { name: "at", label: words.say("pause.at"), type: "moment", required: true, only: ["until", ""] },
    ],
    go: words.say("pause"),
    send: async ({ reason, until, at }) => {
      const refused = await send(`/zones/${encodeURIComponent(status.zone_id)}/pause`, { reason, until: until || at }, ["reason", "until"]);
      if (refused && !until) refused.fields = { ...refused.fields, at: refused.fields.until };
      return refused;
    },
  });
  return tell(done, "pause.done", words.zoneName(status));
}

export async function resume(status) {
  const done = await askFor(words, {
    title: `${words.say("resume")} · ${words.zoneName(status)}`,
    fields: [{ name: "reason", label: words.say("act.reason") }],
    go: words.say("resume"),
    send: ({ reason }) => send(`/zones/${encodeURIComponent(status.zone_id)}/resume`, { reason }, ["reason"]),
  });
  return tell(done, "resume.done", words.zoneName(status));
}

export async function startCampaign(zoneIds) {
  const zones = [...words.zones.values()].map((zone) => ({ value: zone.zone_id, text: `${words.zoneName(zone)} · ${zone.zone_id}` }));
  zones.sort((a, b) => zoneIds.includes(b.value) - zoneIds.includes(a.value) || a.value.localeCompare(b.value));
  const kept = { value: "", text: words.say("campaign.kept") };
  const names = ["name", "zones", "from", "to", "frequency", "target", "window", "look_back", "reason"];
  const done = await askFor(words, {
    title: words.say("campaign.start"),
    note: words.say("campaign.note"),
    fields: [
      { name: "name", label: words.say("campaign.name"), required: true, hint: words.say("campaign.name.hint") },
      { name: "reason", label: words.say("act.reason") },
      { name: "zones", label: words.say("campaign.zones"), type: "several", options: zones, value: zoneIds },
      { name: "from", label: words.say("campaign.from"), type: "moment", hint: words.say("campaign.from.hint") },
      { name: "to", label: words.say("campaign.to"), type: "moment", required: true, value: localIn(DAY_MIN) },
      { name: "frequency", label: words.say("campaign.frequency"), hint: words.say("campaign.duration.hint") },
      { name: "target", label: words.say("campaign.target"), hint: words.say("campaign.kept.hint") },
      { name: "window", label: words.say("campaign.window"), type: "choice", options: [kept, ...["shift", "day", "week"].map((value) => ({ value, text: words.say(`window.${value}`) }))] },
      { name: "look_back", label: words.say("campaign.look_back"), hint: words.say("campaign.duration.hint") },
    ],
    go: words.say("campaign.start"),
    send: (values) => {
      if (!values.zones.length) return { fields: { zones: words.say("campaign.zones.none") } };
      const body = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      if (body.target) {
        const percent = Number(body.target.replace(/\s*%$/, ""));
        if (!Number.isFinite(percent)) return { fields: { target: words.say("campaign.target.number") } };
        body.target = percent / 100;
      }
      return send("/campaigns", body, names);
    },
  });
  return tell(done, "campaign.done", done?.name);
}

export async function endCampaign(campaign) {
  const done = await askFor(words, {
    title: `${words.say("campaign.end")} · ${campaign.name}`, note: words.say("campaign.end.note"),
    fields: [{ name: "reason", label: words.say("act.reason") }],
    go: words.say("campaign.end"),
    send: ({ reason }) => send(`/campaigns/${encodeURIComponent(campaign.name)}/end`, { reason }, ["reason"]),
  });
  return tell(done, "campaign.ended", campaign.name);
}

function tell(done, key, what) {
  if (done) toast(words.say(key, { what }));
  return done !== null;
}

// Patrol hours, as the API writes their lines: "Mon-Fri,Sun 08:00-12:00"; a span that ends before
// it begins goes on over midnight. Days count from Monday = 0, times are minutes of the day.
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
export const DAY_MIN = 1440;

export function readSpan(line) {
  const [, days, ...clock] = /^(.*\S)\s+(\d+):(\d+)-(\d+):(\d+)$/.exec(line).map((part, i) => (i > 1 ? Number(part) : part));
  const from = clock[0] * 60 + clock[1], to = clock[2] * 60 + clock[3];
  const ranges = days.toLowerCase().split(",").map((part) => {
    const ends = part.split("-").map((name) => DAYS.indexOf(name.trim()));
    return [ends[0], ends.at(-1)];
  });
  return { ranges, from, to: to > from ? to : to + DAY_MIN };
}

// Each day of the week on which a span begins.
function daysOf({ ranges }) {
  return ranges.flatMap(([first, last]) => Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7));
}

// Minutes from a local time to the end of the patrol hours it lies in; null outside of them.
export function leftOfShift(spans, { weekday, minute }) {
  for (const span of spans) {
    for (const day of daysOf(span)) {
      const since = ((weekday - day + 7) % 7) * DAY_MIN + minute;
      if (since >= span.from && since < span.to) return span.to - since;
    }
  }
  return null;
}

// Minutes from a local time to the first patrol hours of a later day; null when there are none.
export function untilNextDay(spans, { weekday, minute }) {
  const begins = spans.flatMap((span) => daysOf(span).map((day) => (((day - weekday + 6) % 7) + 1) * DAY_MIN + span.from - minute));
  return begins.length ? Math.min(...begins) : null;
}

// A policy in words: what is asked of a zone, as sentences.

// "Mon–Fri 08:00–12:00, 13:30–18:00; Sat 09:00–12:00": spans of the same days stand together.
export function policyHours({ hours }) {
  const byDays = new Map();
  for (const span of hours.map(readSpan)) {
    const days = span.ranges.map(daysText).join(words.say("policy.and_day"));
    byDays.set(days, [...(byDays.get(days) ?? []), `${clock(span.from)}–${clock(span.to)}`]);
  }
  return [...byDays].map(([days, times]) => `${days} ${times.join(words.say("policy.and"))}`).join(words.say("policy.and_days"));
}

function daysText([first, last]) {
  if (first === 0 && last === 6) return words.say("policy.daily");
  const name = (day) => words.say(`day.${day}`);
  return first === last ? name(first) : words.say("policy.days", { first: name(first), last: name(last) });
}

function clock(minute) {
  const two = (n) => String(n).padStart(2, "0");
  return `${minute > 1440 ? words.say("policy.next_day") : ""}${two(Math.floor(minute / 60) % (minute > 1440 ? 24 : 25))}:${two(minute % 60)}`;
}

// What is asked of every zone of a policy, whatever its hours are.
export function policyBrief({ frequency_s, window, target }) {
  return words.prose(
    words.say("policy.brief", { time: words.duration(frequency_s) }),
    words.say(`policy.target.${window}`, { target: words.percent(target) }),
  );
}

// Sentences; each is about one thing, so that each can be read alone.
export function policySentences(policy) {
  const said = [
    words.say("policy.frequency", { hours: policyHours(policy), time: words.duration(policy.frequency_s) }),
    words.say(`policy.target.${policy.window}`, { target: words.percent(policy.target) }),
    words.say("policy.patrol", { n: policy.min_cells }),
  ];
  if (policy.look_back_s != null) said.push(words.say("policy.look_back", { time: words.duration(policy.look_back_s) }));
  said.push(policy.auto_close ? words.say("policy.closes", { time: words.duration(policy.close_hold_s) }) : words.say("policy.stays"));
  return said;
}
