// @ts-check
// What the tables of users and of tokens share: reading, asking for a change, saying what came of it.
import { askFor, toast } from "../page/dialog.js";
import { badge, el } from "../page/dom.js";
import { config, live, read, words } from "../page/frame.js";
import { ask } from "../page/session.js";

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

// The users: who may sign in, and as what.

export class UserTable {
  constructor({ onChange, onNames }) {
    Object.assign(this, { onChange, onNames });
    this.table = new Table("users", ["name", "role", "signed_in", "password_changed"], { add: () => this.add() });
    this.node = this.table.node;
  }

  async load() {
    const answer = await this.table.read("/users");
    if (!answer) return;
    this.onNames(answer.users.map((user) => user.username));
    // Who may sign in first; names are sorted already.
    const users = answer.users.sort((a, b) => a.disabled - b.disabled);
    this.table.show(users.map((user) => this.rowOf(user)));
  }

  rowOf(user) {
    const name = user.username;
    const node = row(name,
      [el("b", "", name), ...(name === config.me ? [" ", el("small", "chip", words.say("users.you"))] : []), ...(user.disabled ? [" ", el("small", "chip", words.say("users.disabled"))] : [])],
      roleOf(user.role), dayOf(user.signed_in, words.say("users.never")), dayOf(user.password_changed),
      el("div", "acts", ...(user.disabled ? [press(words.say("users.enable"), () => this.enable(user))] : [
        press(words.say("users.change_role"), () => this.setRole(user)),
        press(words.say("users.set_password"), () => this.setPassword(user)),
        press(words.say("users.disable"), () => this.disable(user), "danger"),
      ])));
    node.classList.toggle("over", user.disabled);
    return node;
  }

  add() {
    return this.askAnd({
      title: words.say("users.add"), note: `${words.say("users.add.note")}\n\n${rolesExplained()}`, go: words.say("users.add"),
      fields: [{ name: "username", label: words.say("users.name"), required: true }, roleField("dispatcher"),
        { name: "password", label: words.say("users.password.first"), type: "password", required: true }],
    }, (given) => change("/users", "POST", given), (given, said) => words.say("users.add.done", { name: said.username }));
  }

  async setRole(user) {
    const name = user.username;
    const notes = [rolesExplained(), words.say("users.change_role.note"), ...(name === config.me ? [words.say("users.change_role.self")] : [])];
    const given = await this.askAnd({ title: words.say("users.change_role.title", { name }), note: notes.join("\n\n"), fields: [roleField(user.role)], go: words.say("users.save") },
      (given) => this.patch(name, given), (given) => words.say("users.change_role.done", { name, role: words.say(`role.${given.role}`) }));
    if (given && name === config.me) location.reload(); // the page may not be for this user any more
  }

  setPassword({ username: name }) {
    return this.askAnd({
      title: words.say("users.set_password.title", { name }), note: words.say("users.set_password.note", { name }), go: words.say("users.save"),
      fields: [{ name: "password", label: words.say("door.new"), type: "password", required: true }],
    }, (given) => this.patch(name, given), () => words.say("users.set_password.done", { name }));
  }

  disable({ username: name }) {
    const notes = [words.say("users.disable.note", { name }), ...(name === config.me ? [words.say("users.disable.self")] : [])];
    return this.askAnd({ title: words.say("users.disable.title", { name }), note: notes.join("\n"), go: words.say("users.disable.go"), danger: true },
      () => this.patch(name, { disabled: true }), () => words.say("users.disable.done", { name }));
  }

  async enable({ username: name }) {
    const { wrong } = await this.patch(name, { disabled: false });
    done(wrong ?? words.say("users.enable.done", { name }));
    this.changed();
  }

  patch(name, body) {
    return change(`/users/${encodeURIComponent(name)}`, "PATCH", body);
  }

  // A form that stays until the API has taken what it says, or it was left.
  async askAnd(form, send, told) {
    let said = null;
    const given = await askFor(words, { ...form, send: async (values) => (said = await send(values)).wrong });
    if (!given) return;
    done(told(given, said));
    this.changed();
    return given;
  }

  changed() {
    this.load();
    this.onChange();
  }
}

// The tokens of programs. A token is shown once, when it is made; afterwards nobody has it but its program.

const LAST_DAYS = [30, 90, 365];
const DAY_MS = 86_400_000;
const SIGNS = { valid: "compliant", expired: "due", revoked: "off_duty" };

export class TokenTable {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.table = new Table("tokens", ["name", "role", "state", "expires", "used"], { add: () => this.add(), note: words.say("tokens.note") });
    this.node = this.table.node;
    this.tokens = [];
    // One may expire while the page is open, by the station's clock.
    live.on("health", () => this.tokens.map(stateOf).join() !== this.states && this.render());
  }

  async load() {
    const answer = await this.table.read("/tokens");
    if (!answer) return;
    this.tokens = answer.tokens;
    this.render();
  }

  // Those that are over last; names are sorted already.
  render() {
    this.states = this.tokens.map(stateOf).join();
    const sorted = this.tokens.toSorted((a, b) => (stateOf(a) !== "valid") - (stateOf(b) !== "valid"));
    this.table.show(sorted.map((token) => this.rowOf(token)), { empty: "tokens.none" });
  }

  rowOf(token) {
    const state = stateOf(token);
    const node = row(token.name,
      el("span", "two", el("b", "", token.name), el("small", "", words.say("tokens.made_by", { who: token.created_by, time: words.time(token.created) }))),
      roleOf(token.role), el("span", "token-state", badge(SIGNS[state]), words.say(`tokens.state.${state}`)),
      dayOf(token.expires, words.say("tokens.forever")), dayOf(token.last_used, words.say("tokens.unused")),
      el("div", "acts", ...(state === "revoked" ? [] : [press(words.say("tokens.revoke"), () => this.revoke(token), "danger")])));
    node.classList.toggle("over", state !== "valid");
    return node;
  }

  async add() {
    let made = null;
    const options = [...LAST_DAYS.map((n) => ({ value: String(n), text: words.say("tokens.add.days", { n }) })), { value: "", text: words.say("tokens.add.never") }];
    await askFor(words, {
      title: words.say("tokens.add"), note: `${words.say("tokens.note")}\n\n${rolesExplained()}`, go: words.say("tokens.add"),
      fields: [{ name: "name", label: words.say("tokens.add.name"), required: true }, roleField("viewer"),
        { name: "days", label: words.say("tokens.add.expires"), type: "choice", options, value: "90" }],
      send: async ({ name, role, days }) => {
        const expires = days ? new Date(live.now() + Number(days) * DAY_MS).toISOString() : null;
        const said = await change("/tokens", "POST", { name, role, expires });
        if (!said.wrong) made = said;
        return said.wrong;
      },
    });
    if (!made) return;
    this.changed();
    await showOnce(made);
  }

  async revoke({ name }) {
    const given = await askFor(words, {
      title: words.say("tokens.revoke.title", { name }), note: words.say("tokens.revoke.note"), go: words.say("tokens.revoke.go"), danger: true,
      send: async () => (await change(`/tokens/${encodeURIComponent(name)}`, "DELETE")).wrong,
    });
    if (!given) return;
    done(words.say("tokens.revoke.done", { name }));
    this.changed();
  }

  changed() {
    this.load();
    this.onChange();
  }
}

function stateOf(token) {
  if (token.revoked) return "revoked";
  return token.expires && Date.parse(token.expires) <= live.now() ? "expired" : "valid";
}

// Stays until somebody says that it is kept: Escape must not lose it.
function showOnce({ name, token }) {
  const secret = el("input", "secret"), copied = el("span", "copied");
  Object.assign(secret, { value: token, readOnly: true });
  secret.setAttribute("aria-label", words.say("tokens.once.title", { name }));
  secret.addEventListener("focus", () => secret.select());
  copied.setAttribute("role", "status");
  const copy = press(words.say("tokens.once.copy"), async () => {
    secret.select();
    // Browsers give the clipboard to pages of this machine or over TLS only.
    const ok = await navigator.clipboard?.writeText(token).then(() => true, () => false);
    copied.textContent = words.say(ok ? "tokens.once.copied" : "tokens.once.select");
  }, "main");
  const box = el("dialog", "ask once", el("h2", "", words.say("tokens.once.title", { name })), el("p", "warning", words.say("tokens.once.warning")), secret,
    el("p", "note", words.say("tokens.once.use")),
    el("div", "buttons", copied, copy, press(words.say("tokens.once.done"), () => box.close())));
  box.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(box);
  box.showModal();
  copy.focus();
  return new Promise((closed) => box.addEventListener("close", () => closed(box.remove())));
}
