// Which time is replayed: what is offered, what somebody types, what a link says.
import { askFor, toast } from "./dialog.js";
import { config, words } from "./frame.js";
import { fromLocal, toLocal } from "./localtime.js";

export const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, SHORTEST_MS = 60_000;

// Spans {from, to} [ms] by name, as seen from the last full minute; `shift_from` is when the
// running shift began.
export function presets(clock_ms, shift_from) {
  const now = Math.floor(clock_ms / SHORTEST_MS) * SHORTEST_MS;
  const midnight = (at) => fromLocal(toLocal(at, config.timezone).slice(0, 10), config.timezone);
  const today = midnight(now);
  return {
    hour: { from: now - HOUR_MS, to: now },
    ...(shift_from > today && shift_from < now - SHORTEST_MS && { shift: { from: shift_from, to: now } }),
    today: { from: Math.min(today, now - SHORTEST_MS), to: now },
    yesterday: { from: midnight(today - DAY_MS / 2), to: today },
  };
}

// A span that can be replayed: not in the future, neither empty nor too long; else null.
export function valid({ from, to }, now) {
  const end = Math.min(to, now);
  return end - from >= SHORTEST_MS && end - from <= LONGEST_MS + HOUR_MS ? { from, to: Math.min(end, from + LONGEST_MS) } : null;
}

export async function askSpan(now, { from, to }) {
  const moment = (name, at) => ({ name, label: words.say(`replay.${name}`), type: "moment", value: toLocal(at, config.timezone), required: true });
  const values = await askFor(words, {
    title: words.say("replay.custom"), note: words.say("replay.custom_note"), fields: [moment("from", from), moment("to", to)], go: words.say("replay.show"),
  });
  if (!values) return null;
  const span = valid({ from: fromLocal(values.from, config.timezone), to: fromLocal(values.to, config.timezone) }, now);
  if (!span) toast(words.say("replay.bad_span"), { kind: "bad" });
  return span;
}

// As the API reads times: milliseconds, or a time that without an offset is the district's.
function instant(text) {
  if (/^\d+$/.test(text)) return Number(text);
  return /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? Date.parse(text) : fromLocal(text, config.timezone);
}

// What a link asks for: {from, to, at}, or null.
export function fromQuery(search, now) {
  const query = new URLSearchParams(search);
  const read = (name) => instant(query.get(name) ?? "");
  const at = read("at");
  if (!query.has("from") && Number.isNaN(at)) return null;
  const from = query.has("from") ? read("from") : at - HOUR_MS / 2;
  const span = valid({ from, to: query.has("to") ? read("to") : from + HOUR_MS }, now);
  return span && { ...span, at: at >= span.from && at <= span.to ? at : span.from };
}

export function toQuery({ from, to, at }) {
  const write = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000", "");
  return { from: write(from), to: write(to), at: write(at) };
}
