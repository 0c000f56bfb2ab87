// When something begins or ends: now, when the district's next day does, or at a chosen time.
import { words } from "./frame.js";

const DAY_MS = 86_400_000;

export function moments() {
  return ["now", "tomorrow", "custom"].map((value) => ({ value, text: words.say(`moment.${value}`) }));
}

// As the API reads it: a time without an offset is the district's. Null is now, or not chosen yet.
export function momentOf(when, chosen) {
  if (when === "tomorrow") return `${words.local(words.now() + DAY_MS).date}T00:00`;
  return (when === "custom" && chosen) || null;
}
