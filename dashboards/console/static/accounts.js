// What the tables of users and of tokens share: reading, asking for a change, saying what came of it.
import { toast } from "./dialog.js";
import { config, read, words } from "./frame.js";
import { el } from "./page.js";
import { ask } from "./session.js";

export const ROLES = ["viewer", "dispatcher", "admin"];

export function roleField(value) {
  const options = ROLES.map((role) => ({ value: role, text: words.say(`role.${role}`) }));
  return { name: "role", label: words.say("users.role"), type: "choice", options, value };
}

// What each role may, a line for each.
export function rolesExplained() {
  return ROLES.map((role) => `${words.say(`role.${role}`)}: ${words.say(`role.${role}.may`)}`).join("\n");
}

export function roleOf(role) {
  const node = el("span", `role role-${role}`, words.say(`role.${role}`));
  node.title = words.say(`role.${role}.may`);
  return node;
}

const days = new Intl.DateTimeFormat(config.lang === "zh" ? "zh-CN" : "en-GB", { timeZone: config.timezone, year: "numeric", month: "short", day: "numeric" });

// A day with its year, because what is of accounts is long ago or far ahead; the time on demand.
export function dayOf(time, otherwise) {
  if (!time) return otherwise;
  const node = el("span", "day", days.format(new Date(time)));
  node.title = words.time(time);
  return node;
}

export function press(text, act, kind = "") {
  const button = el("button", `button ${kind}`, text);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

// Sends a change. The answer, or `{wrong}`: in words why nothing was changed.
export async function change(path, method, body) {
  try {
    const answer = await ask(`/api/v1${path}`, { method, body });
    const said = answer.status === 204 ? {} : await answer.json();
    return answer.ok ? said : { wrong: words.refusal(said) };
  } catch {
    return { wrong: words.say("alerts.failed") };
  }
}

export function done(text) {
  toast(text, { for_ms: 5000 });
}

// A heading, a button that adds, and rows under column heads.
export class Table {
  constructor(name, columns, { add, note }) {
    this.name = name;
    this.body = el("tbody");
    this.count = el("span", "count", "0");
    const heads = [...columns, ""].map((column) => el("th", "", column && words.say(`${name}.${column}`)));
    this.node = el("section", "panel account-table",
      el("div", "panel-head", el("h2", "", words.say(name)), this.count, el("span", "space"), press(words.say(`${name}.add`), add, "main")),
      ...(note ? [el("p", "table-note", note)] : []),
      el("div", "rows", el("table", "", el("thead", "", el("tr", "", ...heads)), this.body)));
  }

  async read(path) {
    try {
      return await read(path);
    } catch (error) {
      this.say(words.say("people.failed", { why: error.message }));
      return null;
    }
  }

  show(rows, { empty } = {}) {
    this.count.textContent = rows.length;
    if (!rows.length && empty) return this.say(words.say(empty));
    this.body.replaceChildren(...rows);
  }

  say(text) {
    const cell = el("td", "empty", text);
    cell.colSpan = 9;
    this.body.replaceChildren(el("tr", "", cell));
  }
}

export function row(key, ...cells) {
  const node = el("tr", "", ...cells.map((cell) => el("td", "", ...[cell].flat())));
  node.dataset.name = key;
  return node;
}
