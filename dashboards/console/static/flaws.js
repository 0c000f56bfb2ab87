// What is wrong with a zone that was drawn, as the API says it, and where: some problems name
// "lng …, lat …". What drawing can do wrong is said in words of the console, the rest as it is.
const PLACE = /lng (-?\d+(?:\.\d+)?), lat (-?\d+(?:\.\d+)?)/;
const KNOWN = [
  ["flaw.overlap", /overlaps .*zone_id "(?<zone>[^"]*)".* by (?<area>[\d,]+) m²/],
  ["flaw.crosses", /outline is not valid: self-intersection/],
  ["flaw.small", /covers (?<area>[\d,]+) m², less than/],
  ["flaw.far", /lies (?<km>[\d,]+) km from the other zones/],
  ["flaw.past", /^lies in the past/],
  ["flaw.last", /^is the last zone/],
  ["flaw.code_taken", /^code "(?<code>[^"]*)" is also that of/],
  ["flaw.id_taken", /^zone_id "(?<zone_id>[^"]*)" is also that of/],
];

// The problems of a refusal: [{text, place}], place [lng, lat] or null.
export function flawsOf(problem, words) {
  const told = problem.problems ?? problem.errors ?? [{ message: problem.detail ?? problem.reason }];
  const flaws = new Map(); // two versions of a neighbour can be met at one place
  for (const { message } of told) {
    const found = PLACE.exec(message), text = inWords(message, words);
    flaws.set(`${text} ${found?.[0]}`, { text, place: found && [Number(found[1]), Number(found[2])] });
  }
  return [...flaws.values()];
}

function inWords(message, words) {
  for (const [key, pattern] of KNOWN) {
    const facts = pattern.exec(message);
    if (!facts) continue;
    const { zone, ...others } = facts.groups ?? {};
    const known = zone && words.zones.get(zone);
    return words.say(key, { ...others, zone: known ? words.zoneName(known) : zone });
  }
  return message;
}
