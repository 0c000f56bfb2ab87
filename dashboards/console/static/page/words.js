// @ts-check
// The words of the page, and how times, figures and refusals read in them.

export class Words {
  /** @param {Config} config @param {() => number} now the system's clock [ms] */
  constructor(config, now) {
    this.config = config;
    this.now = now;
    this.locale = config.lang === "zh" ? "zh-CN" : "en-GB";
    /** @type {Map<string, ZoneStatus>} by id, as the stream tells them */
    this.zones = new Map();
    /** @type {Intl.DateTimeFormatOptions} */
    const hour = { timeZone: config.timezone, hour: "2-digit", minute: "2-digit",
      second: "2-digit", hourCycle: "h23" };
    /** @type {Intl.DateTimeFormatOptions} */
    const day = { ...hour, weekday: "short", month: "short", day: "numeric" };
    this.hour = new Intl.DateTimeFormat(this.locale, hour);
    this.day = new Intl.DateTimeFormat(this.locale, day);
    this.clock = config.demo_speed
      ? new Intl.DateTimeFormat(this.locale, { ...day, second: undefined }) : this.day;
  }

  time(text) {
    return this.clock.format(new Date(text));
  }

  /** To the second, also where the clock of the bar runs too fast for them. */
  exact(at, { day = true } = {}) {
    return (day ? this.day : this.hour).format(new Date(at));
  }

  /** The district's date ("2026-11-25"), weekday (0 is Monday) and minute of the day. */
  local(at_ms) {
    const [date, time] = toLocal(at_ms, this.config.timezone).split("T");
    const [hours, minutes] = time.split(":").map(Number);
    return { date, weekday: (new Date(date).getUTCDay() + 6) % 7, minute: hours * 60 + minutes };
  }

  /** The district's date after today's, also on a day of 23 or 25 hours. */
  tomorrow() {
    return addDays(this.local(this.now()).date, 1);
  }

  knows(key) {
    return key in this.config.texts;
  }

  /** @param {string} key @param {Record<string, any>} values by the names in the text's braces */
  say(key, values = {}) {
    const text = this.config.texts[key] ?? key.slice(key.indexOf(".") + 1);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  /** Sentences one after the other: Chinese has no space between them. */
  prose(...sentences) {
    return sentences.join(this.config.lang === "zh" ? "" : " ");
  }

  zoneName(/** @type {{name: string, name_zh?: string | null}} */ zone) {
    return (this.config.lang === "zh" && zone.name_zh) || zone.name;
  }

  /** The name of a zone by its id; the id while no name has come. */
  zone(zoneId) {
    const zone = this.zones.get(zoneId);
    return zone ? this.zoneName(zone) : zoneId;
  }

  /** Rounded down: 80 % is only shown once it is reached. */
  percent(ratio) {
    return ratio == null ? "–" : `${Math.floor(ratio * 100 + 1e-9)}%`;
  }

  duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return this.say("unit.s", { n: s });
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60);
    if (hours < 1) return this.say("unit.min", { n: minutes });
    const days = Math.floor(hours / 24), m = minutes % 60;
    if (days < 1 && m) return this.say("unit.h_min", { n: hours, m });
    if (days < 1) return this.say("unit.h", { n: hours });
    return this.say(hours % 24 ? "unit.d_h" : "unit.d", { n: days, m: hours % 24 });
  }

  /** The subject of an alert: a zone by its name, else a bike or vendor. @param {Alert} alert */
  subject(alert) {
    return (alert.zone_id && this.zone(alert.zone_id)) ?? alert.bike ?? alert.vendor ?? "";
  }

  /** A problem document of the API in words. Its details are English sentences: they follow ours.
   * @param {Problem} problem */
  problem({ reason, detail = reason }) {
    const key = [`refusal.${reason}`, `door.${reason}`].find((each) => this.knows(each));
    return this.say(key ?? "refusal.other", { detail: detail ?? "" });
  }

  /** Why a change was not made, or null. @param {Answered | null} answer */
  refusal(answer) {
    if (!answer) return this.say("alerts.failed");
    return answer.ok ? null : this.say("alerts.refused", { why: this.problem(answer.body) });
  }

  /** Who did something. @param {string | null} name */
  actor(name) {
    return name === "system" ? this.say("alerts.system") : name ?? "";
  }

  /** A reason of the contract, or as somebody wrote it. @param {string | null} reason */
  reason(reason) {
    return this.knows(`reason.${reason}`) ? this.say(`reason.${reason}`) : reason ?? "";
  }

  since(text) {
    return this.duration((this.now() - Date.parse(text)) / 1000);
  }
}

const formats = new Map(); // by zone: making one takes longer than using it a hundred times

/** A time on a district's clock, as fields for a moment have it: "2026-05-01T08:00". */
export function toLocal(at_ms, timeZone) {
  if (!formats.has(timeZone)) {
    formats.set(timeZone, new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric",
      month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  }
  const parts = formats.get(timeZone).formatToParts(at_ms);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
}

const DAY_MS = 86_400_000;

/** A date ("2026-11-25") so many days later, on the calendar. */
export function addDays(date, days) {
  return new Date(Date.parse(`${date}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Milliseconds since the epoch; a date alone is its midnight. NaN when it is no time.
 * Of a time that occurs twice the first, as the API reads it. */
export function fromLocal(text, timeZone) {
  const wall_ms = Date.parse(`${text.length === 10 ? `${text}T00:00` : text}Z`);
  if (Number.isNaN(wall_ms)) return NaN;
  const minute_ms = (at_ms) => Math.floor(at_ms / 60_000) * 60_000;
  const offset_ms = (at_ms) => Date.parse(`${toLocal(at_ms, timeZone)}Z`) - minute_ms(at_ms);
  // The offset the day before, or the day after where the clocks have changed between.
  const [first, second] = [wall_ms - DAY_MS, wall_ms + DAY_MS]
    .map((at_ms) => wall_ms - offset_ms(at_ms)).sort((a, b) => a - b);
  return wall_ms - first === offset_ms(first) ? first : second;
}

// The API's English messages about wrong input, by key of our text; others are shown as written.
const SHAPE = /outline is not valid: /.source;
const NEEDED = [/is required|Field required|\w+ is (missing|empty)/,
  /(String|Value) should have at least 1 (character|item)/].map(({ source }) => source);
const KNOWN = Object.entries({
  "flaw.sliver": new RegExp('overlaps .*zone_id "(?<zone>[^"]*)".*, (?<wide>[\\d.]+) m wide'
    + '.* given to "(?<to>[^"]*)"'),
  "flaw.overlap": /overlaps .*zone_id "(?<zone>[^"]*)".* by (?<area>[\d,]+) m²/,
  "flaw.crosses": new RegExp(`${SHAPE}(ring )?self-intersection`),
  "flaw.hole_outside": new RegExp(`${SHAPE}hole lies outside`),
  "flaw.nested": new RegExp(`${SHAPE}(holes are nested|nested (shells|holes))`),
  "flaw.apart": new RegExp(`${SHAPE}interior is disconnected`),
  "flaw.small": /covers (?<area>[\d,]+) m², less than/,
  "flaw.large": /extends over (?<km>[\d,]+) km, too far/,
  "flaw.grid": /would need a grid of /,
  "flaw.far": /lies (?<km>[\d,]+) km from the other zones/,
  "flaw.past": /^lies in the past/,
  "flaw.last": /^is the last zone/,
  "flaw.code": /^code ".*" is not a unit-grid code/,
  "flaw.code_taken": /^code "(?<code>[^"]*)" is also that of/,
  "flaw.id": /^zone_id ".*" must be 1 to 64/,
  "flaw.id_taken": /^zone_id "(?<zone_id>[^"]*)" is also that of/,
  "flaw.policy": /^policy "(?<policy>[^"]*)" is not configured/,
  "wrong.required": new RegExp(`^(${NEEDED.join("|")})`),
  "wrong.too_long": /^String should have at most (?<n>\d+) character/,
  "wrong.duration": /^['"](?<what>.*)['"] is not a duration/,
  "wrong.not_zero": /^must be longer than 0/,
  "wrong.target": /is not a ratio over 0 and up to 1/,
  "wrong.name": /^must be 1 to (?<n>\d+) characters, without line breaks/,
  "wrong.name_taken": /^is that of a campaign that is not over/,
  "wrong.changes_nothing": /^changes nothing;/,
  "wrong.past": /^must not lie in the past/,
  "wrong.after_from": /^must be after from/,
  "wrong.date": /^(must be a date \(|.* is not a (date|time); write it like)/,
  "wrong.no_zone": /^there is no zone ['"](?<what>.*)['"]/,
});

export function inWords(/** @type {string} */ message, /** @type {Words} */ words) {
  for (const [key, pattern] of KNOWN) {
    const found = pattern.exec(message), { zone, to } = found?.groups ?? {};
    const named = { zone: zone && words.zone(zone), to: to && words.zone(to) };
    if (found) return words.say(key, { ...found.groups, ...named });
  }
  return words.say("refusal.other", { detail: message });
}

/** The problems that a document lists, each {where, message}, with the message in words: `text`. */
export function listed({ problems, errors }, words) {
  const all = problems ?? errors ?? null;
  return all && all.map((each) => ({ ...each, text: inWords(each.message, words) }));
}

const PLACE = /lng (-?\d+(?:\.\d+)?), lat (-?\d+(?:\.\d+)?)/;

/** The flaws of a drawn zone, and where they are: some problems name "lng …, lat …".
 * @returns {Flaw[]} */
export function flawsOf(problem, words) {
  const told = listed(problem, words) ?? [{ message: "", text: words.problem(problem) }];
  const flaws = new Map(); // two versions of a neighbour can be met at one place
  for (const { where = "", message, text } of told) {
    const found = PLACE.exec(message), zone = /zone_id "([^"]*)"/.exec(where)?.[1];
    const place = found && [Number(found[1]), Number(found[2])];
    flaws.set(`${zone} ${text} ${found?.[0]}`, { text, place, zone });
  }
  return [...flaws.values()];
}
