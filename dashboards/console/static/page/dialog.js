// @ts-check
// Questions to whoever is at the page: a small form, answered with values or not at all.
import { button, el, fill, modal, select } from "./dom.js";
import { words } from "./frame.js";

/** Asks by a form that stays open until what it says is taken, or it is left.
 * @param {Question} question @returns {Promise<any>} the values by name, null when it was left */
export function askFor({ title, note, fields = [], go, danger = false, preview = async () => [],
  send = async () => null }) {
  const inputs = fields.map(inputOf);
  const problem = el("p", { className: "problem", role: "alert" });
  const shown = el("div", { className: "preview", role: "status" });
  const submit = el("button", danger ? "button main danger" : "button main", go);
  const form = el("form", "", el("h2", "", title), note && el("p", "note", note),
    inputs.map(({ box }) => box), shown, problem,
    el("div", "buttons", button("button", words.say("dialog.cancel"), () => box.close()), submit));
  const read = () => Object.fromEntries(inputs.filter(({ box }) => !box.hidden)
    .map(({ field, value }) => [field.name, value()]));
  const asked = () => {
    const values = read();
    for (const { field, node, box } of inputs) {
      if (!field.only) continue;
      const [other, value] = field.only;
      box.hidden = values[other] !== value;
      node.required = field.required && !box.hidden;
    }
  };
  let latest = 0;
  const show = async () => {
    const mine = (latest += 1), nodes = await preview(read());
    if (mine === latest) fill(shown, nodes);
  };
  const refuse = (/** @type {Wrong} */ wrong) => {
    const { text = "", fields: told = {} } = typeof wrong === "string" ? { text: wrong }
      : wrong ?? {};
    problem.textContent = text;
    for (const { field, said } of inputs) said.textContent = told[field.name] ?? "";
    inputs.find(({ field }) => told[field.name])?.node.scrollIntoView({ block: "center" });
  };
  refuse(null);
  asked();
  show();
  const box = modal({ className: "ask", ariaLabel: title }, form);
  const writes = ({ node }) => !node.value || node.type === "text" || node.tagName === "TEXTAREA";
  inputs.find((each) => !each.box.hidden && writes(each))?.node.focus();
  return new Promise((answered) => {
    /** @type {any} */ let values = null;
    form.addEventListener("change", asked);
    form.addEventListener("input", show);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = read();
      if (submit.disabled) return; // Ctrl+Enter while the first is under way
      submit.disabled = true;
      form.setAttribute("aria-busy", "true");
      const wrong = await send(given);
      submit.disabled = false;
      form.removeAttribute("aria-busy");
      refuse(wrong);
      if (wrong) return;
      values = given;
      box.close();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    box.addEventListener("close", () => answered(values));
  });
}

/** A field: what asks it, what it is asked in, its value, and where its problem is told. */
function inputOf(/** @type {Field} */ field) {
  const { name, type = "text", value = "", options = [], required = false } = field;
  /** @type {any} a field, or several boxes */
  const node = type === "several" ? el("div", "several")
    : type === "area" ? Object.assign(el("textarea"), { rows: 3 })
    : type === "choice" ? select("", options)
    : el("input", { type: type === "moment" ? "datetime-local" : type });
  const boxes = type !== "several" ? [] : options.map((each) => el("input",
    { type: "checkbox", name, value: each.value, checked: value.includes(each.value) }));
  node.append(...boxes.map((box, i) => el("label", "", box, el("span", "", options[i].text))));
  if (!boxes.length) Object.assign(node, { name, value, required });
  if (type === "text" || type === "area") node.maxLength = 2000;
  if (type === "password") node.autocomplete = "new-password";
  const known = `known-${name}`, list = field.list?.length
    && el("datalist", { id: known }, field.list.map((text) => new Option(text)));
  if (list) node.setAttribute("list", known);
  const several = type === "several", said = el("small", "problem");
  const box = el(several ? "fieldset" : "label", "",
    el(several ? "legend" : "span", "", field.label), node, list || null,
    field.hint && el("small", "hint", field.hint), said);
  const valueOf = several ? () => boxes.filter(({ checked }) => checked).map(({ value }) => value)
    : () => (type === "password" ? node.value : node.value.trim());
  return { field, node, said, box, value: valueOf };
}

/** A line at the foot of the page that goes by itself; with a button while something can be done.
 * @param {string} text @param {ToastOptions} options @returns {() => void} takes it away */
export function toast(text, { button: named, act, for_ms = 4000, kind = "" } = {}) {
  const node = el("div", `toast ${kind}`, el("span", "", text));
  const timer = setTimeout(() => node.remove(), for_ms);
  if (named) {
    node.append(button("button", named, () => {
      clearTimeout(timer);
      node.remove();
      act?.();
    }), el("i", { className: "left", style: { animationDuration: `${for_ms}ms` } }));
  }
  region.replaceChildren(node);
  return () => node.remove();
}

// Screen readers read out only what is added to a region that exists already.
const region = el("div", { className: "toasts", role: "status" });
document.body.append(region);

/** When something begins or ends: now, when the district's next day does, or a chosen time. */
export function moments() {
  return ["now", "tomorrow", "custom"]
    .map((value) => ({ value, text: words.say(`moment.${value}`) }));
}

/** Fields that ask for it; `value` is offered first. @returns {Field[]} */
export function momentFields(/** @type {string} */ label, /** @type {string} */ value) {
  return [
    { name: "when", label, type: "choice", options: moments(), value },
    { name: "moment", label: words.say("moment.at"), type: "moment", required: true,
      only: ["when", "custom"] },
  ];
}

/** As the API reads it: a time without an offset is the district's. Null is now, or not chosen. */
export function momentOf(when, chosen) {
  if (when === "tomorrow") return `${words.tomorrow()}T00:00`;
  return (when === "custom" && chosen) || null;
}

/** A text to copy: the field that it stands in, a button that does, and what says that it did. */
export function copyable(/** @type {string} */ text, /** @type {string} */ title) {
  const copied = el("span", { className: "copied", role: "status" });
  const field = el("input", { className: "secret", value: text, readOnly: true, ariaLabel: title });
  field.addEventListener("focus", () => field.select());
  const copy = button("button main", words.say("tokens.once.copy"), async () => {
    field.select();
    // Browsers give the clipboard to pages of this machine or over TLS only.
    const ok = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    copied.textContent = words.say(ok ? "tokens.once.copied" : "tokens.once.select");
  });
  return { field, copy, copied };
}
