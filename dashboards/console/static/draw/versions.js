// @ts-check
// A zone as it is, was and will be: its versions, one of them shown, and what may be done.
import { askFor, momentOf, moments, toast } from "../page/dialog.js";
import { button, el } from "../page/dom.js";
import { config, live, read, words } from "../page/frame.js";
import { ask } from "../page/session.js";
import { flawsOf } from "../page/words.js";
import { policyBrief } from "../zones/orders.js";

export class ZoneCard {
  // `onEdit` gets the version that is shown, the version of all zones, and whether more is planned;
  // `onChanged` is called after the zone was ended.
  constructor({ map, panel, zoneId, policies, said, onEdit, onChanged }) {
    Object.assign(this, { map, panel, zoneId, policies, said, onEdit, onChanged, versions: [] });
  }

  load() {
    return (this.loaded = this.ask());
  }

  async ask() {
    try {
      const [known, authors] = await Promise.all([versionsOf(this.zoneId), authorsOf(this.zoneId).catch(() => new Map())]);
      Object.assign(this, known, { authors });
      this.shown = this.versions.find((each) => stateOf(each) === "now") ?? this.versions.at(-1);
    } catch (error) {
      this.failure = error.message;
    }
  }

  // Shows the version from an instant on, as somebody has chosen; undefined is nobody's choice.
  choose(from) {
    this.chosen = from;
    this.shown = this.versions.find((each) => from !== undefined && each.properties.valid_from === from) ?? this.shown;
  }

  // The version in force is the outline that counts; another one is shown against it.
  draw({ stay = true } = {}) {
    if (this.failure) return this.panel.replaceChildren(el("div", "empty", this.failure));
    if (!stay) this.map.fit([this.shown]);
    const now = this.versions.find((each) => stateOf(each) === "now");
    this.map.outline("chosen", (now ?? this.shown).geometry);
    this.map.outline("older", this.shown === (now ?? this.shown) ? null : this.shown.geometry);
    const { properties } = this.shown;
    const policy = this.policies.find((each) => each.name === properties.policy);
    const over = this.versions.at(-1).properties.valid_to;
    const link = Object.assign(el("a", "", words.say("draw.page")), { href: `/zones/${encodeURIComponent(this.zoneId)}` });
    this.panel.replaceChildren(
      el("div", "panel-head", el("h1", "", words.zoneName(properties)), el("span", "space"), link),
      el("div", "draw-body",
        ...(this.said ? [el("p", "fine", el("span", "tick", "✓"), this.said)] : []),
        el("p", "says", [this.zoneId, properties.policy, properties.code].filter(Boolean).join(" · ")),
        ...(policy ? [el("p", "says", policyBrief(policy))] : []),
        el("div", "buttons", button("button main", words.say("draw.edit"), () => this.edit(), "e"),
          ...(over ? [] : [button("button danger", words.say("draw.end"), () => this.end())])),
        el("h2", "", words.say("draw.versions")),
        el("div", "versions", ...[...this.versions].reverse().map((each) => this.rowOf(each)))),
    );
  }

  rowOf(version) {
    const { valid_from: from, valid_to: to } = version.properties;
    const span = words.say("draw.span", { from: from ? words.time(from) : words.say("draw.always"), to: to ? words.time(to) : words.say("draw.open_end") });
    const row = button("version", "", () => {
      this.choose(from);
      this.draw();
    });
    const who = from && this.authors.get(Date.parse(from));
    row.append(el("b", "", words.say(`draw.version.${stateOf(version)}`)), el("span", "", span), ...(who ? [el("small", "", words.say("draw.by", { who }))] : []));
    row.dataset.state = stateOf(version);
    row.setAttribute("aria-pressed", version === this.shown);
    return row;
  }

  // Whether another version or an end is still to come.
  get planned() {
    const { valid_to: end } = this.versions.at(-1).properties;
    return stateOf(this.versions.at(-1)) === "planned" || (Boolean(end) && Date.parse(end) > live.now());
  }

  async edit() {
    await this.loaded;
    if (this.shown) this.onEdit(this.shown, { over: this.over, planned: this.planned });
  }

  async end() {
    const done = await askFor(words, {
      title: `${words.say("draw.end")} · ${words.zoneName(this.shown.properties)}`,
      note: words.say("draw.end.note"),
      fields: [
        { name: "when", label: words.say("draw.end.when"), type: "choice", options: moments(), value: "tomorrow" },
        { name: "moment", label: words.say("moment.at"), type: "moment", required: true, only: ["when", "custom"] },
      ],
      go: words.say("draw.end"),
      send: async ({ when, moment }) => {
        const answer = await end(this.zoneId, momentOf(when, moment), this.over).catch(() => null);
        if (answer?.ok) return null;
        if (!answer) return { text: words.say("alerts.failed") };
        return { text: answer.status === 412 ? words.say("draw.stale") : flawsOf(answer.body, words).map(({ text }) => text).join("; ") };
      },
    });
    if (!done) return;
    toast(words.say("draw.ended"));
    this.onChanged();
  }
}

function stateOf({ properties: { valid_from: from, valid_to: to } }) {
  const now = live.now();
  if (from && Date.parse(from) > now) return "planned";
  return to && Date.parse(to) <= now ? "past" : "now";
}

// Zones and their versions as the API has them, and what is sent to change them.

// Those that are valid at an instant; without one, now.
export function zonesAt(at = null) {
  return read(at ? `/zones?${new URLSearchParams({ at })}` : "/zones");
}

// All versions of a zone, the oldest first, and the version of the whole.
export async function versionsOf(zoneId) {
  const { features, version } = await read(pathOf(zoneId, "/versions"));
  return { versions: features, over: version };
}

// Who drew the zone, by the instant from which it was so; nobody is known where nobody signs in.
export async function authorsOf(zoneId) {
  const known = new Map();
  if (config.me === null) return known;
  const asked = new URLSearchParams({ action: "PUT /zones/{zone_id}", limit: 1000 });
  const { entries } = await read(`/audit?${asked}`);
  for (const { actor, detail } of entries.reverse()) if (detail.zone === zoneId) known.set(Date.parse(detail.at), actor);
  return known;
}

// Changes name the version of all zones over which they were made: `over`.
export function put(zoneId, feature, { over, dryRun }) {
  return change(pathOf(zoneId, dryRun ? "?dry_run=true" : ""), "PUT", feature, over);
}

export function end(zoneId, validTo, over) {
  return change(pathOf(zoneId), "DELETE", { valid_to: validTo }, over);
}

async function change(path, method, body, over) {
  const answer = await ask(`/api/v1${path}`, { method, body, headers: { "if-match": `"${over}"` } });
  return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => ({})) };
}

function pathOf(zoneId, rest = "") {
  return `/zones/${encodeURIComponent(zoneId)}${rest}`;
}
