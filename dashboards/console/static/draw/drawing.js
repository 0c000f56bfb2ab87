// @ts-check
// A zone being drawn: the outline on the map, what is written down beside it, and what the API says
// to both. It ends when it is saved or given up; a refusal never takes away what was drawn.
import { momentOf, moments, toast } from "../page/dialog.js";
import { button, el } from "../page/dom.js";
import { words } from "../page/frame.js";
import { flawsOf } from "../page/words.js";
import { policyBrief } from "../zones/orders.js";
import { areaOf, cellsIn, Outline, ringsOf } from "./outline.js";
import { Grips, Pen } from "./pen.js";
import { put, zonesAt } from "./versions.js";

export class Drawing {
  // `zone`: the feature that is redrawn, or null for a new one; `over`: the version of all zones.
  // `onSaved` gets the API's answer, `onCancel` is asked before anything is given up.
  constructor({ map, panel, zone, over, planned, policies, grid, onSaved, onCancel }) {
    Object.assign(this, { map, zone, over, grid, onSaved, typed: false });
    this.form = new DrawForm({
      zone: zone?.properties, planned, policies,
      onWhen: () => this.showNeighbours(),
      onTyped: () => (this.typed = true),
    });
    this.facts = el("p", "draw-facts");
    this.how = el("p", "says");
    this.ring = button("button", words.say("draw.ring"), () => this.addRing(), "h");
    this.said = el("div", "draw-said");
    this.said.setAttribute("role", "status");
    const press = (kind, key, act, sign) => button(kind, words.say(key), act, sign);
    this.buttons = [press("button", "draw.check", () => this.check()), press("button main", "draw.save", () => this.save())];
    this.buttons[1].title = "Ctrl+S";
    panel.replaceChildren(
      el("div", "panel-head", el("h1", "", zone ? words.zoneName(zone.properties) : words.say("draw.new"))),
      el("div", "draw-body", this.how, this.facts, el("div", "buttons", this.ring), this.form.node),
      this.said,
      el("div", "draw-foot", press("button", "draw.cancel", onCancel, "Esc"), el("span", "space"), ...this.buttons),
    );
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

  draw(onClosed) {
    this.pen = new Pen(this.map.map, this.map.neighbours, { onDrawn: () => this.tell(), onClosed });
    this.tell();
  }

  // A hole or a further part, with the outline so far in sight.
  addRing() {
    if (this.pen) return;
    const { outline } = this;
    this.grips.remove();
    this.map.outline("chosen", outline.geometry());
    this.draw((geometry) => {
      outline.add(ringsOf(geometry)[0]);
      this.grip(outline);
    });
  }

  // Gives up the ring that is being added, if there is one; the outline stays.
  leaveRing() {
    if (!this.pen || !this.outline) return false;
    this.pen.remove();
    this.grip(this.outline);
    return true;
  }

  grip(outline) {
    this.map.outline("chosen", null);
    const isFirst = !this.outline;
    Object.assign(this, { pen: null, outline });
    this.grips = new Grips(this.map.map, this.map.neighbours, outline, () => this.tell());
    this.tell();
    if (!this.zone && isFirst) this.form.inputs.zone_id.focus();
  }

  // Those that will be there when this becomes valid.
  async showNeighbours() {
    const at = this.form.validFrom;
    try {
      const { features } = await zonesAt(at);
      if (at === this.form.validFrom && !this.ended) this.map.showZones(features, this.zone?.properties.zone_id);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  }

  // How large it is; what was wrong with it may be so no more.
  tell() {
    this.show([]);
    this.how.textContent = words.say(!this.pen ? "draw.how.edit" : this.outline ? "draw.how.ring" : "draw.how.new");
    this.ring.hidden = Boolean(this.pen);
    const geometry = this.outline?.geometry();
    this.facts.textContent = geometry && !this.pen
      ? words.say("draw.size", { area: (areaOf(geometry) / 1e6).toFixed(2), cells: cellsIn(geometry, this.grid) })
      : words.say("draw.places", { n: this.pen.places.length });
  }

  undo() {
    if (!(this.pen ?? this.grips).undo() && !this.leaveRing()) toast(words.say("draw.undo.nothing"));
  }

  finish() {
    if (this.pen && !this.pen.close()) toast(words.say("draw.open"));
  }

  async check() {
    const answer = await this.send({ dryRun: true });
    if (!answer?.ok) return;
    const { cells_total: n, live } = answer.body;
    this.show([], words.prose(words.say("draw.sound", { n }), ...(live ? [] : [words.say("draw.next_start")])));
  }

  async save() {
    const answer = await this.send({ dryRun: false });
    if (!answer?.ok) return;
    this.end();
    this.onSaved(this.zoneId, answer.body);
  }

  async send({ dryRun }) {
    if (this.pen) return this.show([{ text: words.say("draw.open"), place: null }]);
    if (this.buttons[0].disabled || !this.form.sound) return null; // one answer after the other
    const feature = { type: "Feature", geometry: this.outline.geometry(), properties: this.form.properties() };
    for (const each of this.buttons) each.disabled = true;
    try {
      const answer = await put(this.zoneId, feature, { over: this.over, dryRun });
      if (answer.status === 412) this.showStale();
      else if (!answer.ok) this.show(flawsOf(answer.body, words));
      return answer;
    } catch {
      return this.show([{ text: words.say("alerts.failed"), place: null }]);
    } finally {
      for (const each of this.buttons) each.disabled = false;
    }
  }

  // Problems are told beside the form and shown where they are.
  show(flaws, fine = "") {
    const rows = flaws.map(({ text, place }) => {
      const row = button("flaw-row", text, () => place && this.map.goTo(place));
      row.dataset.placed = place !== null;
      return row;
    });
    this.said.replaceChildren(...(fine ? [el("p", "fine", el("span", "tick", "✓"), fine)] : rows));
    this.map.mark(flaws);
  }

  // Somebody else was faster: the neighbours are fetched again, what was drawn stays.
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
    (this.pen ?? this.grips).remove();
    this.map.outline("chosen", null);
    this.map.mark([]);
  }
}

// What is written down about a zone that is drawn: its names, its policy, and from when it is so.

const FIELDS = ["zone_id", "name", "name_zh", "policy", "code"];

export class DrawForm {
  // `onWhen` is called when another moment is chosen, `onTyped` after every change.
  constructor({ zone, planned, policies, onWhen, onTyped }) {
    Object.assign(this, { policies, planned, inputs: {}, isNew: !zone });
    this.node = el("form", "draw-form");
    this.node.addEventListener("submit", (event) => event.preventDefault());
    for (const name of FIELDS) {
      if (name === "zone_id" && zone) continue;
      this.field(name, name === "policy" ? select(policies.map(({ name: value }) => ({ value, text: value }))) : el("input"));
    }
    const { zone_id: id, name, code } = this.inputs;
    if (id) Object.assign(id, { pattern: "[A-Za-z0-9_\\-]{1,64}", maxLength: 64, required: true, placeholder: "cy-10" });
    Object.assign(name, { required: true, maxLength: 200 });
    Object.assign(code, { pattern: "[0-9]{14,15}", maxLength: 15, inputMode: "numeric", title: words.say("draw.code.hint") });
    this.asks = el("p", "says");
    this.node.append(this.asks);
    this.field("when", select(moments()));
    this.moment = Object.assign(el("input"), { type: "datetime-local", hidden: true });
    this.moment.setAttribute("aria-label", words.say("moment.at"));
    this.effect = el("p", "says");
    this.inputs.when.after(this.moment);
    this.node.append(this.effect);
    for (const [key, input] of Object.entries(this.inputs)) if (zone && key !== "when") input.value = zone[key] ?? "";
    this.node.addEventListener("input", (event) => {
      this.explain();
      const moved = event.target === this.inputs.when || event.target === this.moment;
      if (moved) onWhen();
      if (!moved || !this.isNew) onTyped();
    });
    this.explain();
  }

  field(name, input) {
    input.name = name;
    input.autocomplete = "off";
    this.inputs[name] = input;
    this.node.append(el("label", `field-${name}`, el("span", "", words.say(`draw.${name}`)), input));
  }

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
    this.effect.textContent = words.prose(...effect, ...(this.planned ? [words.say("draw.gives_way")] : []));
  }

  get zoneId() {
    return this.inputs.zone_id?.value.trim();
  }

  // Whether everything is written as it must be; the browser says at which field it is not.
  get sound() {
    return this.node.reportValidity();
  }

  properties() {
    const { name, name_zh, policy, code } = this.inputs;
    const optional = (input) => input.value.trim() || null;
    return { name: name.value.trim(), name_zh: optional(name_zh), policy: policy.value, code: optional(code), ...(this.validFrom && { valid_from: this.validFrom }) };
  }
}

// What a version means for the figures; without a time it is valid at once.
export function effectOf(time, isNew) {
  return words.prose(
    time ? words.say("draw.from.at", { time }) : words.say("draw.from.now"),
    words.say(isNew ? "draw.counted.new" : "draw.counted"),
  );
}

function select(options) {
  const node = el("select");
  node.append(...options.map(({ value, text }) => new Option(text, value)));
  return node;
}
