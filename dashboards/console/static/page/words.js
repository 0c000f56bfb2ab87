// @ts-check
// The words of the page, and how times, figures and refusals read in them.

export class Words {
  constructor(config) {
    this.config = config;
    this.clock = new Intl.DateTimeFormat(config.lang === "zh" ? "zh-CN" : "en-GB", {
      timeZone: config.timezone, weekday: "short", month: "short", day: "numeric",
      hour: "2-digit", minute: "2-digit", second: config.demo_speed ? undefined : "2-digit", hourCycle: "h23",
    });
    const { locale } = this.clock.resolvedOptions();
    const second = { timeZone: config.timezone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    this.hour = new Intl.DateTimeFormat(locale, second);
    this.day = new Intl.DateTimeFormat(locale, { ...second, weekday: "short", month: "short", day: "numeric" });
    this.zones = new Map(); // by id, as the stream tells them
  }

  time(text) {
    return this.clock.format(new Date(text));
  }

  // To the second, also where the clock of the bar runs too fast for them.
  exact(at, { day = true } = {}) {
    return (day ? this.day : this.hour).format(new Date(at));
  }

  // The district's date ("2026-11-25"), weekday (0 is Monday) and minute of the day at an instant.
  local(at_ms) {
    const [date, time] = toLocal(at_ms, this.config.timezone).split("T"), [hours, minutes] = time.split(":").map(Number);
    return { date, weekday: (new Date(date).getUTCDay() + 6) % 7, minute: hours * 60 + minutes };
  }

  say(key, values = {}) {
    const text = this.config.texts[key] ?? key.slice(key.indexOf(".") + 1);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  // Sentences one after the other: Chinese has no space between them.
  prose(...sentences) {
    return sentences.join(this.config.lang === "zh" ? "" : " ");
  }

  zoneName(zone) {
    return (this.config.lang === "zh" && zone.name_zh) || zone.name;
  }

  // The name of a zone by its id; the id while no name has come.
  zone(zoneId) {
    const zone = this.zones.get(zoneId);
    return zone ? this.zoneName(zone) : zoneId;
  }

  percent(ratio) {
    if (ratio == null) return "–";
    // Rounded down: 80 % is only shown once it is reached.
    return `${Math.floor(ratio * 100 + 1e-9)}%`;
  }

  duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return this.say("unit.s", { n: s });
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (hours < 1) return this.say("unit.min", { n: minutes });
    if (days < 1) {
      const m = minutes % 60;
      return m ? this.say("unit.h_min", { n: hours, m }) : this.say("unit.h", { n: hours });
    }
    return hours % 24 ? this.say("unit.d_h", { n: days, m: hours % 24 }) : this.say("unit.d", { n: days });
  }

  // What an alert is about: a zone by its name, else a bike or a vendor.
  subject(alert) {
    const zone = alert.zone_id && this.zones.get(alert.zone_id);
    return (zone ? this.zoneName(zone) : alert.zone_id) ?? alert.bike ?? alert.vendor ?? "";
  }

  // A problem document of the API in words. What somebody has to put right in particular is in its
  // own words only, which are English: they stand behind ours.
  problem({ reason, detail }) {
    const key = [`refusal.${reason}`, `door.${reason}`].find((each) => each in this.config.texts);
    return key ? this.say(key, { detail }) : this.say("refusal.other", { detail: detail ?? reason ?? "" });
  }

  refusal(problem) {
    return this.say("alerts.refused", { why: this.problem(problem) });
  }

  since(text) {
    return this.duration((this.now() - Date.parse(text)) / 1000);
  }
}

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

// What the API says is wrong with what somebody gave it, in words of the console. Its messages are
// English sentences; what has no words here is shown as it is, and as the API's.
const SHAPE = /outline is not valid: /.source;
const KNOWN = [
  ["flaw.overlap", /overlaps .*zone_id "(?<zone>[^"]*)".* by (?<area>[\d,]+) m²/],
  ["flaw.crosses", new RegExp(`${SHAPE}(ring )?self-intersection`)],
  ["flaw.hole_outside", new RegExp(`${SHAPE}hole lies outside`)],
  ["flaw.nested", new RegExp(`${SHAPE}(holes are nested|nested (shells|holes))`)],
  ["flaw.apart", new RegExp(`${SHAPE}interior is disconnected`)],
  ["flaw.small", /covers (?<area>[\d,]+) m², less than/],
  ["flaw.large", /extends over (?<km>[\d,]+) km, too far/],
  ["flaw.grid", /would need a grid of /],
  ["flaw.far", /lies (?<km>[\d,]+) km from the other zones/],
  ["flaw.past", /^lies in the past/],
  ["flaw.last", /^is the last zone/],
  ["flaw.code", /^code ".*" is not a unit-grid code/],
  ["flaw.code_taken", /^code "(?<code>[^"]*)" is also that of/],
  ["flaw.id", /^zone_id ".*" must be 1 to 64/],
  ["flaw.id_taken", /^zone_id "(?<zone_id>[^"]*)" is also that of/],
  ["flaw.policy", /^policy "(?<policy>[^"]*)" is not configured/],
  ["wrong.required", /^(is required|Field required|\w+ is (missing|empty)|(String|Value) should have at least 1 (character|item))/],
  ["wrong.too_long", /^String should have at most (?<n>\d+) character/],
  ["wrong.duration", /^['"](?<what>.*)['"] is not a duration/],
  ["wrong.not_zero", /^must be longer than 0/],
  ["wrong.target", /is not a ratio over 0 and up to 1/],
  ["wrong.name", /^must be 1 to (?<n>\d+) characters, without line breaks/],
  ["wrong.name_taken", /^is that of a campaign that is not over/],
  ["wrong.changes_nothing", /^changes nothing;/],
  ["wrong.past", /^must not lie in the past/],
  ["wrong.after_from", /^must be after from/],
  ["wrong.date", /^(must be a date \(|.* is not a (date|time); write it like)/],
  ["wrong.no_zone", /^there is no zone ['"](?<what>.*)['"]/],
];

export function inWords(message, words) {
  for (const [key, pattern] of KNOWN) {
    const facts = pattern.exec(message);
    if (!facts) continue;
    const { zone, ...others } = facts.groups ?? {};
    return words.say(key, { ...others, zone: zone && words.zone(zone) });
  }
  return words.say("refusal.other", { detail: message });
}

// The problems that a document lists, each {where, message}, the message in words.
export function listed({ problems, errors }, words) {
  return (problems ?? errors)?.map(({ where, message }) => ({ where, message, text: inWords(message, words) })) ?? null;
}

// What is wrong with a zone that was drawn, as the API says it, and where: some problems name
// "lng …, lat …".

const PLACE = /lng (-?\d+(?:\.\d+)?), lat (-?\d+(?:\.\d+)?)/;

// The problems of a refusal: [{text, place}], place [lng, lat] or null.
export function flawsOf(problem, words) {
  const told = listed(problem, words) ?? [{ message: "", text: words.problem(problem) }];
  const flaws = new Map(); // two versions of a neighbour can be met at one place
  for (const { message, text } of told) {
    const found = PLACE.exec(message);
    flaws.set(`${text} ${found?.[0]}`, { text, place: found && [Number(found[1]), Number(found[2])] });
  }
  return [...flaws.values()];
}
