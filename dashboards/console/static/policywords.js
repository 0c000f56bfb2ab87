// A policy in words: what is asked of a zone, as sentences.
import { words } from "./frame.js";
import { readSpan } from "./hours.js";

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
