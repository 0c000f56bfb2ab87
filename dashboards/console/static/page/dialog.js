// @ts-check
// Questions to whoever is at the page: a small form, answered with values or not at all.
import { button, el } from "./dom.js";
import { words } from "./frame.js";

// Fields: {name, label, type: text|area|choice|several|moment|password, value, options: [{value, text}],
// required, list, hint, only: [another field, the value it must have for this one to be asked]}.
// `send` gets the values while the form is open; what it returns is what was wrong, to be put right:
// a text, or {text, fields: {name: text}}. Resolves with the values, or null when it was left.
export function askFor(words, { title, note, fields = [], go, danger = false, send = async () => null }) {
  const inputs = fields.map((field) => ({ field, node: input(field), said: el("small", "problem") }));
  const problem = el("p", "problem");
  problem.setAttribute("role", "alert");
  const cancel = button("button", words.say("dialog.cancel"), () => box.close());
  const submit = el("button", danger ? "button main danger" : "button main", go);
  const form = el("form", "", el("h2", "", title), ...(note ? [el("p", "note", note)] : []),
    ...inputs.map(labelled), problem, el("div", "buttons", cancel, submit));
  const box = el("dialog", "ask", form);
  box.setAttribute("aria-label", title);
  document.body.append(box);
  const read = () => Object.fromEntries(inputs.filter(({ box }) => !box.hidden).map(({ field, node }) => [field.name, valueOf(node)]));
  const asked = () => {
    const values = read();
    for (const each of inputs) {
      if (!each.field.only) continue;
      const [other, value] = each.field.only;
      each.box.hidden = values[other] !== value;
      each.node.required = each.field.required && !each.box.hidden;
    }
  };
  const refuse = (wrong) => {
    const { text = "", fields: told = {} } = typeof wrong === "string" ? { text: wrong } : wrong ?? {};
    problem.textContent = text;
    for (const { field, said } of inputs) said.textContent = told[field.name] ?? "";
    inputs.find(({ field }) => told[field.name])?.node.scrollIntoView({ block: "center" });
  };
  refuse();
  asked();
  box.showModal();
  inputs.find(({ box, node }) => !box.hidden && (!node.value || node.type === "text" || node.tagName === "TEXTAREA"))?.node.focus();
  return new Promise((answered) => {
    let values = null;
    form.addEventListener("change", asked);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = read();
      if (submit.disabled) return; // Ctrl+Enter while the first is under way
      submit.disabled = true;
      form.setAttribute("aria-busy", true);
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
    box.addEventListener("close", () => {
      box.remove();
      answered(values);
    });
  });
}

function valueOf(node) {
  return node.chosen?.() ?? (node.type === "password" ? node.value : node.value.trim());
}

function labelled(each) {
  const { field, node, said } = each;
  const several = field.type === "several";
  const hint = field.hint ? [el("small", "hint", field.hint)] : [];
  return (each.box = el(several ? "fieldset" : "label", "", el(several ? "legend" : "span", "", field.label), node, ...suggestions(field, node), ...hint, said));
}

function input({ name, type = "text", value = "", options = [], required = false }) {
  if (type === "several") return several(name, value, options);
  const node = type === "area" ? el("textarea") : type === "choice" ? el("select") : el("input");
  if (type === "choice") node.append(...options.map((each) => new Option(each.text, each.value)));
  if (node.tagName === "INPUT") node.type = { moment: "datetime-local", day: "date", number: "number", password: "password" }[type] ?? "text";
  if (type === "area") node.rows = 3;
  Object.assign(node, { name, value, required });
  if (type === "text" || type === "area") node.maxLength = 2000;
  if (type === "password") node.autocomplete = "new-password";
  return node;
}

// Any number of the options.
function several(name, value, options) {
  const boxes = options.map((each) => Object.assign(el("input"), { type: "checkbox", name, value: each.value, checked: value.includes(each.value) }));
  const node = el("div", "several", ...options.map((each, i) => el("label", "", boxes[i], el("span", "", each.text))));
  node.chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return node;
}

function suggestions({ name, list }, node) {
  if (!list?.length) return [];
  const options = el("datalist", "", ...list.map((text) => new Option(text)));
  options.id = `known-${name}`;
  node.setAttribute("list", options.id);
  return [options];
}

// A line at the foot of the page that goes by itself; with a button while something can be done.
// Returns what takes it away.
export function toast(text, { button, act, for_ms = 4000, kind = "" } = {}) {
  const node = el("div", `toast ${kind}`, el("span", "", text));
  const timer = setTimeout(() => node.remove(), for_ms);
  if (button) {
    const press = el("button", "button", button);
    press.type = "button";
    press.addEventListener("click", () => {
      clearTimeout(timer);
      node.remove();
      act();
    });
    const left = el("i", "left");
    left.style.animationDuration = `${for_ms}ms`;
    node.append(press, left);
  }
  region.replaceChildren(node);
  return () => node.remove();
}

// What comes into a place that was there before is read out.
const region = el("div", "toasts");
region.setAttribute("role", "status");
document.body.append(region);

// When something begins or ends: now, when the district's next day does, or at a chosen time.

const DAY_MS = 86_400_000;

export function moments() {
  return ["now", "tomorrow", "custom"].map((value) => ({ value, text: words.say(`moment.${value}`) }));
}

// As the API reads it: a time without an offset is the district's. Null is now, or not chosen yet.
export function momentOf(when, chosen) {
  if (when === "tomorrow") return `${words.local(words.now() + DAY_MS).date}T00:00`;
  return (when === "custom" && chosen) || null;
}
