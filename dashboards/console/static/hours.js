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
