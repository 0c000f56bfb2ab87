// Times on the district's clock, as fields for a moment have them: "2026-05-01T08:00".

const formats = new Map(); // by zone: making one takes longer than using it a hundred times

export function toLocal(at_ms, timeZone) {
  if (!formats.has(timeZone)) {
    formats.set(timeZone, new Intl.DateTimeFormat("en-CA", {
      timeZone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    }));
  }
  const of = Object.fromEntries(formats.get(timeZone).formatToParts(at_ms).map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
}

// Milliseconds since the epoch; a date alone is its midnight. NaN when it is no time.
export function fromLocal(text, timeZone) {
  const wall_ms = Date.parse(`${text.length === 10 ? `${text}T00:00` : text}Z`);
  if (Number.isNaN(wall_ms)) return NaN;
  const offset_ms = (at_ms) => Date.parse(`${toLocal(at_ms, timeZone)}Z`) - Math.floor(at_ms / 60_000) * 60_000;
  // The offset at the time itself, which a first guess without it may be hours away from.
  return wall_ms - offset_ms(wall_ms - offset_ms(wall_ms));
}
