// @ts-check
// A zone being drawn: the outline on the map, the form beside it, and the API's answers to both. It
// ends when it is saved or given up; a refusal keeps the drawing.
import { momentOf, moments, toast } from "../page/dialog.js";
import { button, el, fill, select } from "../page/dom.js";
import { words } from "../page/frame.js";
import { flawsOf } from "../page/words.js";
import { policyBrief } from "../zones/orders.js";
import { Grips, Pen } from "./map.js";
import { areaOf, cellsIn, Outline, ringsOf } from "./outline.js";
import { put, zonesAt } from "./versions.js";

const FIELDS = ["zone_id", "name", "name_zh", "policy", "code"];

export class Drawing {
  /** @type {Outline | null} */ outline = null;
  /** @type {Pen | null} while a ring is drawn */ pen = null;
  /** @type {Grips | null} */ grips = null;
  typed = false;
  ended = false;
  facts = el("p", "draw-facts");
  how = el("p", "says");
  said = el("div", { className: "draw-said", role: "status" });

  /** @param {DrawingHands} hands */
  constructor({ map, panel, zone, over, planned, policies, grid, onSaved, onCancel }) {
    this.map = map;
    this.zone = zone;
    this.over = over;
    this.grid = grid;
    this.onSaved = onSaved;
    this.form = new DrawForm({ zone: zone?.properties, planned, policies,
      onWhen: () => this.showNeighbours(), onTyped: () => (this.typed = true) });
    this.ring = button("button", words.say("draw.ring"), () => this.addRing(), "h");
    const check = button("button", words.say("draw.check"), () => this.check());
    const is = { className: "button main", title: "Ctrl+S" };
    const save = button(is, words.say("draw.save"), () => this.save());
    this.buttons = [check, save];
    const title = zone ? words.zoneName(zone.properties) : words.say("draw.new");
    panel.replaceChildren(
      el("div", "panel-head", el("h1", "", title)),
      el("div", "draw-body", this.how, this.facts, el("div", "buttons", this.ring), this.form.node),
      this.said,
      el("div", "draw-foot", button("button", words.say("draw.cancel"), onCancel, "Esc"),
        el("span", "space"), check, save));
    map.outline("chosen", null);
    map.outline("older", zone?.geometry ?? null); // as it was, for comparison
    this.showNeighbours();
    if (zone) this.grip(new Outline(zone.geometry));
    else this.draw((geometry) => this.grip(new Outline(geometry)));
  }

  get zoneId() {
    return this.zone?.properties.zone_id ?? this.form.zoneId;
  }

  get unsaved() {
    const drawn = this.outline && (!this.zone || this.outline.changed);
    return Boolean(this.typed || drawn || this.pen?.strokes.length);
  }

  draw(/** @type {(geometry: Polygon) => void} */ onClosed) {
    this.pen = new Pen(this.map.map, this.map.neighbours, { onDrawn: () => this.tell(), onClosed });
    this.tell();
  }

  /** A hole or a further part, with the outline so far in sight. */
  addRing() {
    const { outline } = this;
    if (this.pen || !outline) return;
    this.grips?.remove();
    this.map.outline("chosen", outline.geometry());
    this.draw((geometry) => {
      outline.add(ringsOf(geometry)[0]);
      this.grip(outline);
    });
  }

  /** Gives up the ring that is being added, if there is one; the outline stays. */
  leaveRing() {
    if (!this.pen || !this.outline) return false;
    this.pen.remove();
    this.grip(this.outline);
    return true;
  }

  grip(/** @type {Outline} */ outline) {
    this.map.outline("chosen", null);
    const isFirst = !this.outline;
    this.pen = null;
    this.outline = outline;
    this.grips = new Grips(this.map.map, this.map.neighbours, outline, () => this.tell());
    this.tell();
    if (!this.zone && isFirst) this.form.inputs.zone_id.focus();
  }

  /** Shows the zones that will be there when this one becomes valid. */
  async showNeighbours() {
    const at = this.form.validFrom, own = this.zone?.properties.zone_id;
    try {
      const { features } = await zonesAt(at ?? "");
      if (at === this.form.validFrom && !this.ended) this.map.showZones(features, own);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  }

  /** Tells the size, and clears flaws that may be mended. */
  tell() {
    const { outline, pen } = this, geometry = outline?.geometry();
    this.show([]);
    const how = !pen ? "edit" : outline ? "ring" : "new";
    this.how.textContent = words.say(`draw.how.${how}`);
    this.ring.hidden = Boolean(pen);
    if (pen) this.facts.textContent = words.say("draw.places", { n: pen.places.length });
    else if (geometry) {
      const area = (areaOf(geometry) / 1e6).toFixed(2), cells = cellsIn(geometry, this.grid);
      this.facts.textContent = words.say("draw.size", { area, cells });
    }
  }

  undo() {
    const undone = (this.pen ?? this.grips)?.undo() || this.leaveRing();
    if (!undone) toast(words.say("draw.undo.nothing"));
  }

  finish() {
    if (this.pen && !this.pen.close()) toast(words.say("draw.open"));
  }

  async check() {
    const answer = await this.send({ dryRun: true });
    if (!answer?.ok) return;
    const { cells_total: n, live, warnings } = answer.body;
    const waits = live ? [] : [words.say("draw.next_start")];
    const sound = words.prose(words.say("draw.sound", { n }), ...waits);
    this.show(flawsOf({ problems: warnings }, words), sound);
  }

  async save() {
    const answer = await this.send({ dryRun: false });
    if (!answer?.ok) return;
    this.end();
    this.onSaved(this.zoneId, answer.body);
  }

  /** The API's answer; null when nothing was sent, or none came. */
  async send({ dryRun }) {
    const tells = (key) => this.show([{ text: words.say(key), place: null }]);
    if (this.pen || !this.outline) tells("draw.open");
    // One answer after the other; the browser says which field of the form is not as it must be.
    if (this.pen || !this.outline || this.buttons[0].disabled
      || !this.form.node.reportValidity()) return null;
    const properties = this.form.properties();
    const feature = { type: "Feature", geometry: this.outline.geometry(), properties };
    for (const each of this.buttons) each.disabled = true;
    const answer = await put(this.zoneId, feature, { version: this.over, dryRun });
    for (const each of this.buttons) each.disabled = false;
    if (!answer) tells("alerts.failed");
    else if (answer.status === 412) this.showStale();
    else if (!answer.ok) this.show(flawsOf(answer.body, words));
    return answer;
  }

  /** Problems are told beside the form and shown where they are. */
  show(/** @type {{text: string, place: Place | null}[]} */ flaws, fine = "") {
    const rows = flaws.map(({ text, place }) =>
      button({ className: "flaw-row", data: { placed: String(place !== null) } }, text,
        () => place && this.map.goTo(place)));
    fill(this.said, fine && el("p", "fine", el("span", "tick", "✓"), fine), rows);
    this.map.mark(flaws);
  }

  /** Another version was saved meanwhile: fetch the neighbours again, keep the drawing. */
  showStale() {
    const again = button("button", words.say("draw.stale.again"), async () => {
      try {
        this.over = (await zonesAt()).version;
        await this.showNeighbours();
        this.show([], words.say("draw.stale.done"));
      } catch (error) {
        toast(error.message, { kind: "bad" });
      }
    });
    this.map.mark([]);
    this.said.replaceChildren(el("p", "flaw-row", words.say("draw.stale")), again);
  }

  end() {
    this.ended = true;
    (this.pen ?? this.grips)?.remove();
    this.map.outline("chosen", null);
    this.map.mark([]);
  }
}

/** The form beside the map: names, policy, and from when the outline is valid. */
class DrawForm {
  /** @type {Record<string, HTMLInputElement | HTMLSelectElement>} */ inputs = {};
  node = el("form", "draw-form");
  asks = el("p", "says");
  effect = el("p", "says");
  moment = el("input",
    { type: "datetime-local", hidden: true, ariaLabel: words.say("moment.at") });

  constructor(/** @type {DrawFormHands} */ { zone, planned, policies, onWhen, onTyped }) {
    this.policies = policies;
    this.planned = planned;
    this.isNew = !zone;
    this.node.addEventListener("submit", (event) => event.preventDefault());
    const choices = policies.map(({ name }) => ({ value: name, text: name }));
    for (const name of FIELDS) {
      if (name === "zone_id" && zone) continue;
      this.field(name, name === "policy" ? select("", choices) : el("input"));
      if (zone) this.inputs[name].value = zone[name] ?? "";
    }
    const { zone_id: id, name, code } = this.inputs;
    if (id) {
      const pattern = "[A-Za-z0-9_\\-]{1,64}";
      Object.assign(id, { pattern, maxLength: 64, required: true, placeholder: "cy-10" });
    }
    Object.assign(name, { required: true, maxLength: 200 });
    Object.assign(code, { pattern: "[0-9]{14,15}", maxLength: 15, inputMode: "numeric",
      title: words.say("draw.code.hint") });
    this.node.append(this.asks);
    const when = this.field("when", select("", moments()));
    when.after(this.moment);
    this.node.append(this.effect);
    this.node.addEventListener("input", (event) => {
      this.explain();
      const moved = event.target === when || event.target === this.moment;
      if (moved) onWhen();
      if (!moved || !this.isNew) onTyped();
    });
    this.explain();
  }

  field(name, input) {
    Object.assign(input, { name, autocomplete: "off" });
    this.inputs[name] = input;
    this.node.append(
      el("label", `field-${name}`, el("span", "", words.say(`draw.${name}`)), input));
    return input;
  }

  /** @returns {string | null} */
  get validFrom() {
    return momentOf(this.inputs.when.value, this.moment.value);
  }

  explain() {
    const policy = this.policies.find((each) => each.name === this.inputs.policy.value);
    this.asks.textContent = policy ? policyBrief(policy) : "";
    this.moment.hidden = this.inputs.when.value !== "custom";
    this.moment.required = !this.moment.hidden;
    const waits = !this.moment.hidden && !this.validFrom;
    const effect = waits ? [] : [effectOf(this.validFrom?.replace("T", " "), this.isNew)];
    if (this.planned) effect.push(words.say("draw.gives_way"));
    this.effect.textContent = words.prose(...effect);
  }

  get zoneId() {
    return this.inputs.zone_id?.value.trim();
  }

  properties() {
    const { name, name_zh, policy, code } = this.inputs, { validFrom } = this;
    const optional = (input) => input.value.trim() || null;
    return { name: name.value.trim(), name_zh: optional(name_zh), policy: policy.value,
      code: optional(code), ...(validFrom && { valid_from: validFrom }) };
  }
}

/** The effect of a version on the figures; without a time it is valid at once. */
export function effectOf(time, isNew) {
  const from = time ? words.say("draw.from.at", { time }) : words.say("draw.from.now");
  return words.prose(from, words.say(isNew ? "draw.counted.new" : "draw.counted"));
}
