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
    const known = zone && words.zones.get(zone);
    return words.say(key, { ...others, zone: known ? words.zoneName(known) : zone });
  }
  return words.say("refusal.other", { detail: message });
}

// The problems that a document lists, each {where, message}, the message in words.
export function listed({ problems, errors }, words) {
  return (problems ?? errors)?.map(({ where, message }) => ({ where, message, text: inWords(message, words) })) ?? null;
}
