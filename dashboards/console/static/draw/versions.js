// @ts-check
// A zone as it is, was and will be: its versions, one of them shown, and what may be done.
import { askFor, momentFields, momentOf, toast } from "../page/dialog.js";
import { button, el, fill, link, zonePath } from "../page/dom.js";
import { config, live, read, words } from "../page/frame.js";
import { change } from "../page/session.js";
import { flawsOf } from "../page/words.js";
import { policyBrief } from "../zones/orders.js";

const MOST = 12; // flaws that are told at once

export class ZoneCard {
  /** @type {Zone[]} the oldest first */ versions = [];
  /** @type {Map<number, string>} who drew them, by their beginnings [ms] */ authors = new Map();
  /** @type {number} version of all zones */ over = 0;
  /** @type {string | null | undefined} undefined is nobody's choice */ chosen = undefined;
  failure = "";

  /** @param {ZoneCardHands} hands */
  constructor(hands) {
    this.hands = hands;
    this.zoneId = hands.zoneId;
    this.said = hands.said;
    this.loaded = this.load();
  }

  async load() {
    try {
      const [known, authors] = await Promise.all(
        [read(pathOf(this.zoneId, "/versions")), authorsOf(this.zoneId).catch(() => new Map())]);
      this.versions = known.features;
      this.over = known.version;
      this.authors = authors;
      this.shown = this.inForce ?? this.last;
    } catch (error) {
      this.failure = error.message;
    }
  }

  get inForce() {
    return this.versions.find((each) => stateOf(each) === "now");
  }

  get last() {
    return this.versions[this.versions.length - 1];
  }

  /** Shows the version from an instant on, as somebody has chosen. */
  choose(from) {
    this.chosen = from;
    const isIt = ({ properties }) => from !== undefined && properties.valid_from === from;
    this.shown = this.versions.find(isIt) ?? this.shown;
  }

  /** The version in force is the outline that counts; another one is shown against it. */
  draw({ stay = true } = {}) {
    const { shown, zoneId } = this, { map, panel, policies } = this.hands;
    if (!shown) return fill(panel, el("div", "empty", this.failure));
    if (!stay) map.fit([shown]);
    const counts = this.inForce ?? shown, { properties } = shown;
    map.outline("chosen", counts.geometry);
    map.outline("older", shown === counts ? null : shown.geometry);
    const policy = policies.find((each) => each.name === properties.policy);
    const facts = [zoneId, properties.policy, properties.code].filter(Boolean);
    const ends = button("button danger", words.say("draw.end"), () => this.end());
    fill(panel,
      el("div", "panel-head", el("h1", "", words.zoneName(properties)), el("span", "space"),
        link("", zonePath(zoneId), words.say("draw.page"))),
      el("div", "draw-body",
        this.said && el("p", "fine", el("span", "tick", "✓"), this.said),
        el("p", "says", facts.join(" · ")), policy && el("p", "says", policyBrief(policy)),
        el("div", "buttons", button("button main", words.say("draw.edit"), () => this.edit(), "e"),
          !this.last.properties.valid_to && ends),
        el("h2", "", words.say("draw.versions")),
        el("div", "versions", this.versions.toReversed().map((each) => this.rowOf(each)))));
  }

  rowOf(/** @type {Zone} */ version) {
    const { valid_from: from, valid_to: to } = version.properties;
    const span = words.say("draw.span", { from: from ? words.time(from) : words.say("draw.always"),
      to: to ? words.time(to) : words.say("draw.open_end") });
    const who = from && this.authors.get(Date.parse(from)), state = stateOf(version);
    const is = { className: "version", data: { state },
      ariaPressed: String(version === this.shown) };
    const row = button(is, "", () => {
      this.choose(from);
      this.draw();
    });
    return fill(row, el("b", "", words.say(`draw.version.${state}`)), el("span", "", span),
      who && el("small", "", words.say("draw.by", { who })));
  }

  async edit() {
    await this.loaded;
    if (!this.shown) return;
    const { valid_to: end } = this.last.properties;
    const planned = stateOf(this.last) === "planned"
      || (end !== null && Date.parse(end) > live.now());
    this.hands.onEdit(this.shown, { over: this.over, planned });
  }

  async end() {
    if (!this.shown) return;
    const done = await askFor({
      title: `${words.say("draw.end")} · ${words.zoneName(this.shown.properties)}`,
      note: words.say("draw.end.note"),
      fields: momentFields(words.say("draw.end.when"), "tomorrow"),
      go: words.say("draw.end"),
      send: async ({ when, moment }) => {
        const body = { valid_to: momentOf(when, moment) };
        return refusalOf(await change(pathOf(this.zoneId), "DELETE", body, over(this.over)));
      },
    });
    if (!done) return;
    toast(words.say("draw.ended"));
    this.hands.onChanged();
  }
}

function stateOf(/** @type {Zone} */ { properties: { valid_from: from, valid_to: to } }) {
  const now = live.now();
  if (from && Date.parse(from) > now) return "planned";
  return to && Date.parse(to) <= now ? "past" : "now";
}

/** The zones that are valid at an instant; without one, now. @returns {Promise<Zones>} */
export function zonesAt(at = "") {
  return read(at ? `/zones?${new URLSearchParams({ at })}` : "/zones");
}

// The authors of a zone's versions, from the audit record; none without access control.
async function authorsOf(zoneId) {
  if (config.me === null) return new Map();
  const asked = new URLSearchParams({ action: "PUT /zones/{zone_id}", limit: "1000" });
  const { entries } = await read(`/audit?${asked}`);
  const drawn = entries.reverse().filter(({ detail }) => detail.zone === zoneId);
  return new Map(drawn.map(({ actor, detail }) => [Date.parse(detail.at), actor]));
}

export function put(zoneId, feature, { version, dryRun }) {
  return change(pathOf(zoneId, dryRun ? "?dry_run=true" : ""), "PUT", feature, over(version));
}

/** All zones of a file, which are drawn at once or not at all. */
export async function putFile(file, asked, version) {
  const packed = file.stream().pipeThrough(new CompressionStream("gzip"));
  const path = `/zones/import?${new URLSearchParams(asked)}`;
  return change(path, "POST", await new Response(packed).blob(), over(version));
}

/** Why a change was refused, each flaw with the zone that it is in; null when it was not. */
export function refusalOf(/** @type {Answered | null} */ answer) {
  if (!answer || answer.ok) return words.refusal(answer);
  if (answer.status === 412) return words.say("draw.stale");
  const flaws = flawsOf(answer.body, words).slice(0, MOST);
  return flaws.map(({ text, zone }) => (zone ? `${zone}: ${text}` : text))
    .join(words.say("join.more"));
}

// Changes name the version of all zones over which they were made.
function over(version) {
  return { "if-match": `"${version}"` };
}

function pathOf(zoneId, rest = "") {
  return `/zones/${encodeURIComponent(zoneId)}${rest}`;
}
