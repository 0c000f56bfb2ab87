// What is written down about a zone that is drawn: its names, its policy, and from when it is so.
import { words } from "./frame.js";
import { momentOf, moments } from "./moments.js";
import { el } from "./page.js";
import { policyBrief } from "./policywords.js";

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
