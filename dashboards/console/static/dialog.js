// Questions to whoever is at the page: a small form, answered with values or not at all.
import { el } from "./page.js";

// Fields: {name, label, type: text|area|choice|moment|password, value, options: [{value, text}], required, list}.
// `send` gets the values while the form is open; what it returns is what was wrong, to be put right.
// Resolves with the values, or null when it was left.
export function askFor(words, { title, note, fields = [], go, danger = false, send = async () => null }) {
  const inputs = fields.map((field) => [field, input(field)]);
  const problem = el("p", "problem");
  problem.hidden = true;
  problem.setAttribute("role", "alert");
  const cancel = el("button", "button", words.say("dialog.cancel"));
  cancel.type = "button";
  const submit = el("button", danger ? "button main danger" : "button main", go);
  const form = el("form", "", el("h2", "", title), ...(note ? [el("p", "note", note)] : []),
    ...inputs.map(([field, node]) => el("label", "", el("span", "", field.label), node, ...suggestions(field, node))),
    problem, el("div", "buttons", cancel, submit));
  const box = el("dialog", "ask", form);
  document.body.append(box);
  box.showModal();
  inputs.find(([, node]) => !node.value || node.type === "text" || node.tagName === "TEXTAREA")?.[1].focus();
  return new Promise((answered) => {
    let values = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(inputs.map(([field, node]) => [field.name, field.type === "password" ? node.value : node.value.trim()]));
      submit.disabled = true;
      const wrong = await send(given);
      submit.disabled = false;
      problem.hidden = !wrong;
      problem.textContent = wrong ?? "";
      if (wrong) return;
      values = given;
      box.close();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    cancel.addEventListener("click", () => box.close());
    box.addEventListener("close", () => {
      box.remove();
      answered(values);
    });
  });
}

function input({ name, type = "text", value = "", options = [], required = false }) {
  const node = type === "area" ? el("textarea") : type === "choice" ? el("select") : el("input");
  if (type === "choice") node.append(...options.map((each) => new Option(each.text, each.value)));
  if (node.tagName === "INPUT") node.type = { moment: "datetime-local", day: "date", number: "number", password: "password" }[type] ?? "text";
  if (type === "area") node.rows = 3;
  Object.assign(node, { name, value, required });
  if (type === "text" || type === "area") node.maxLength = 2000;
  if (type === "password") node.autocomplete = "new-password";
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
export function toast(text, { button, act, for_ms = 4000, kind = "" } = {}) {
  document.querySelector(".toast")?.remove();
  const node = el("div", `toast ${kind}`, el("span", "", text));
  node.setAttribute("role", "status");
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
  document.body.append(node);
  return node;
}
