// @ts-check
// Users, tokens of programs, and the audit record.
import { askFor, copyable, toast } from "../page/dialog.js";
import { badge, button, el, modal } from "../page/dom.js";
import { asked, config, live, read, start, words, setQuery } from "../page/frame.js";
import { change } from "../page/session.js";

const PAGE = 50;
const DID = "audit.did.";
const ALERT_ACT = /^POST \/alerts\/\{alert_id\}\/(\w+)$/;

start(async (main) => {
  if (config.me === null) return main.replaceChildren(openToAll());
  const audit = new AuditList(), onChange = () => audit.load();
  const users = new UserTable({ onChange, onNames: (names) => audit.suggest(names) });
  const tokens = new TokenTable({ onChange }), recipients = new RecipientTable({ onChange });
  main.replaceChildren(el("div", "accounts", users.node, tokens.node, recipients.node), audit.node);
  await Promise.all([users, tokens, recipients, audit].map((each) => each.load()));
});

// Without access control there is nobody to manage.
function openToAll() {
  const steps = [1, 2, 3].map((n) => el("li", "", words.say(`people.open.step_${n}`)));
  return el("section", "panel open-to-all",
    el("h1", "", el("span", "open-sign", "!"), words.say("people.open.title")),
    el("p", "", words.say("people.open.what")), el("p", "", words.say("people.open.how")),
    el("ol", "", ...steps));
}

/** The audit record: every change, the newest first. */
class AuditList {
  who = el("input", { className: "filter", type: "search", maxLength: 100,
    placeholder: words.say("audit.actor"), ariaLabel: words.say("audit.who") });
  actors = el("datalist", { id: "known-actors" });
  what = el("select", { className: "filter", ariaLabel: words.say("audit.action") },
    new Option(words.say("audit.any"), ""));
  list = el("ol", "audit");
  more = button("button", words.say("list.more"), () => this.load({ on: true }));
  begun = {};
  cursor = "";

  constructor() {
    this.who.setAttribute("list", this.actors.id);
    for (const node of [this.who, this.what]) {
      node.addEventListener("change", () => {
        setQuery({ actor: this.who.value.trim() || null, action: this.what.value || null });
        this.load();
      });
    }
    for (const key of Object.keys(words.config.texts)) {
      if (key.startsWith(DID) && key !== `${DID}alert`) this.offer(key.slice(DID.length));
    }
    this.who.value = asked("actor") ?? "";
    this.what.value = asked("action") ?? "";
    this.more.hidden = true;
    this.node = el("section", "panel audit-panel",
      el("div", "panel-head", el("h2", "", words.say("audit")), el("span", "space"), this.who,
        this.actors, this.what),
      el("div", "rows", this.list, this.more));
  }

  suggest(names) {
    this.actors.replaceChildren(...names.map((name) => new Option(name)));
  }

  /** From the newest, or `on` from where the list ends. */
  async load({ on = false } = {}) {
    const wanted = { actor: this.who.value.trim(), action: this.what.value,
      cursor: on ? this.cursor : "" };
    const given = Object.entries(wanted).filter(([, value]) => value);
    const query = new URLSearchParams([["limit", String(PAGE)], ...given]);
    const begun = (this.begun = {});
    const says = (text) => this.list.replaceChildren(el("li", "empty", text));
    try {
      const { entries, next_cursor } = await read(`/audit?${query}`);
      if (this.begun !== begun) return; // something else was asked meanwhile
      this.cursor = next_cursor;
      this.more.hidden = !next_cursor;
      for (const entry of entries) this.offer(entry.action);
      if (!on) this.list.replaceChildren();
      this.list.append(...entries.map(rowOf));
      if (!this.list.children.length) says(words.say("audit.none"));
    } catch (error) {
      says(words.say("people.failed", { why: error.message }));
    }
  }

  offer(action) {
    if ([...this.what.options].some((option) => option.value === action)) return;
    this.what.append(new Option(inWords(action), action));
  }
}

// An act of the API that has no words of its own is shown as the API names it.
function inWords(action) {
  const act = ALERT_ACT.exec(action)?.[1], key = `${DID}${action}`;
  if (act) return words.say(`${DID}alert`, { act: words.say(`act.${act}`) });
  return words.knows(key) ? words.say(key) : action;
}

function rowOf({ at, actor, address, action, subject, detail }) {
  const more = Object.entries(detail).filter(([, value]) => value !== null).map(detailOf);
  return el("li", { data: { action } }, el("time", "", words.time(at)),
    el("p", "", el("b", "", actor || "–"), " ", inWords(action), subject ? " · " : "",
      el("span", "subject", subject)),
    el("small", "", [address, ...more].filter(Boolean).join(" · ")));
}

function detailOf([name, value]) {
  const key = `audit.detail.${name}`;
  const n = name.endsWith("_ms") ? words.time(value)
    : words.knows(`role.${value}`) ? words.say(`role.${value}`)
    : typeof value === "object" ? JSON.stringify(value) : String(value);
  return words.knows(key) ? words.say(key, { n }) : `${name} ${n}`;
}

const ROLES = ["viewer", "dispatcher", "admin"];
const LAST_DAYS = [30, 90, 365];
const DAY_MS = 86_400_000;
const SIGNS = { valid: "compliant", expired: "due", revoked: "off_duty" };
const days = new Intl.DateTimeFormat(words.locale,
  { timeZone: config.timezone, year: "numeric", month: "short", day: "numeric" });

/** @returns {Field} */
function roleField(value) {
  const options = ROLES.map((role) => ({ value: role, text: words.say(`role.${role}`) }));
  return { name: "role", label: words.say("users.role"), type: "choice", options, value };
}

/** The rights of each role, a line for each. */
function rolesExplained() {
  const of = (role) => [`role.${role}`, "join.of", `role.${role}.may`];
  return ROLES.map((role) => of(role).map((key) => words.say(key)).join("")).join("\n");
}

function roleOf(role) {
  return el("span", { className: `role role-${role}`, title: words.say(`role.${role}.may`) },
    words.say(`role.${role}`));
}

/** A day with its year: what is of accounts is long ago or far ahead; the time on demand. */
function dayOf(time, otherwise = "") {
  return time ? el("span", { className: "day", title: words.time(time) },
    days.format(new Date(time))) : otherwise;
}

/** A table of accounts: a heading, maybe a button that adds, and rows under column heads. */
class Table {
  body = el("tbody");
  count = el("span", "count", "0");

  /** @param {string} name of the route, and of the texts @param {string[]} columns
   * @param {{onChange: () => void, note?: string}} options `onChange` is called after a change */
  constructor(name, columns, { onChange, note }) {
    this.name = name;
    this.onChange = onChange;
    const heads = [...columns.map((each) => words.say(`${name}.${each}`)), ""];
    const head = el("tr", "", ...heads.map((text) => el("th", "", text)));
    const add = words.knows(`${name}.add`) &&
      button("button main", words.say(`${name}.add`), () => this.add());
    this.node = el("section", "panel account-table",
      el("div", "panel-head", el("h2", "", words.say(name)), this.count, el("span", "space"), add),
      note && el("p", "table-note", note),
      el("div", "rows", el("table", "", el("thead", "", head), this.body)));
  }

  add() {} // asks for a new one
  list(/** @type {any[]} */ _all) {} // takes what the API lists

  /** Asks by the form of a key, sends the change, and says so where there are words for it.
   * @param {string} key @param {ChangeForm} form
   * @returns {Promise<any>} the API's answer, or null when nothing was sent */
  async order(key, { name, go = `${key}.go`, notes, send, ...form }) {
    /** @type {any} */ let said = null;
    const title = words.say(name ? `${key}.title` : key, { name });
    const given = await askFor({
      ...form, title, note: notes.join("\n\n"), go: words.say(name ? go : key),
      send: async (values) => {
        const answer = await send(values);
        said = answer?.body;
        return words.refusal(answer);
      },
    });
    if (!given) return null;
    const values = { name: name ?? said.username, role: words.say(`role.${given.role}`) };
    this.changed(words.knows(`${key}.done`) ? words.say(`${key}.done`, values) : "");
    return said;
  }

  async load() {
    try {
      this.list((await read(`/${this.name}`))[this.name]);
    } catch (error) {
      this.say(words.say("people.failed", { why: error.message }));
    }
  }

  show(rows) {
    this.count.textContent = String(rows.length);
    this.body.replaceChildren(...rows);
  }

  say(text) {
    const cell = el("td", { className: "empty", colSpan: 9 }, text);
    this.body.replaceChildren(el("tr", "", cell));
  }

  changed(text) {
    if (text) toast(text, { for_ms: 5000 });
    this.load();
    this.onChange();
  }

  path(name) {
    return `/${this.name}/${encodeURIComponent(name)}`;
  }
}

function row(key, over, ...cells) {
  return el("tr", { className: over ? "over" : "", data: { name: key } },
    cells.map((cell) => el("td", "", cell)));
}

class UserTable extends Table {
  constructor({ onChange, onNames }) {
    super("users", ["name", "role", "signed_in", "password_changed"], { onChange });
    this.onNames = onNames;
  }

  list(users) {
    this.onNames(users.map((user) => user.username));
    // Enabled users first; names are sorted already.
    const sorted = users.toSorted((a, b) => Number(a.disabled) - Number(b.disabled));
    this.show(sorted.map((user) => this.rowOf(user)));
  }

  rowOf(user) {
    const { username: name, disabled } = user;
    const chip = (is, key) => (is ? [" ", el("small", "chip", words.say(key))] : []);
    const act = (key, press, kind = "") => button(`button ${kind}`, words.say(key), press);
    const acts = disabled ? [act("users.enable", () => this.enable(user))] : [
      act("users.change_role", () => this.setRole(user)),
      act("users.set_password", () => this.setPassword(user)),
      act("users.disable", () => this.disable(user), "danger"),
    ];
    return row(name, disabled,
      [el("b", "", name), ...chip(name === config.me, "users.you"),
        ...chip(disabled, "users.disabled")],
      roleOf(user.role), dayOf(user.signed_in, words.say("users.never")),
      dayOf(user.password_changed), el("div", "acts", ...acts));
  }

  add() {
    return this.order("users.add", {
      notes: [words.say("users.add.note"), rolesExplained()],
      fields: [
        { name: "username", label: words.say("users.name"), required: true },
        roleField("dispatcher"), passwordField("users.password.first"),
      ],
      send: (given) => change("/users", "POST", given),
    });
  }

  async setRole({ username: name, role }) {
    const self = name === config.me, notes = self ? [words.say("users.change_role.self")] : [];
    const done = await this.order("users.change_role", {
      name, go: "users.save", fields: [roleField(role)],
      notes: [rolesExplained(), words.say("users.change_role.note"), ...notes],
      send: (given) => this.patch(name, given),
    });
    if (done && self) location.reload(); // the page may not be for this user any more
  }

  setPassword({ username: name }) {
    return this.order("users.set_password", {
      name, go: "users.save", fields: [passwordField("door.new")],
      notes: [words.say("users.set_password.note", { name })],
      send: (given) => this.patch(name, given),
    });
  }

  disable({ username: name }) {
    const self = name === config.me ? [words.say("users.disable.self")] : [];
    return this.order("users.disable", {
      name, notes: [words.say("users.disable.note", { name }), ...self], danger: true,
      send: () => this.patch(name, { disabled: true }),
    });
  }

  async enable({ username: name }) {
    const wrong = words.refusal(await this.patch(name, { disabled: false }));
    this.changed(wrong ?? words.say("users.enable.done", { name }));
  }

  patch(name, body) {
    return change(this.path(name), "PATCH", body);
  }
}

/** @returns {Field} */
function passwordField(key) {
  return { name: "password", label: words.say(key), type: "password", required: true };
}

/** The tokens of programs. A token is shown once, when it is made: the server keeps a hash only. */
class TokenTable extends Table {
  tokens = [];
  states = "";

  constructor({ onChange }) {
    const note = words.say("tokens.note");
    super("tokens", ["name", "role", "state", "expires", "used"], { onChange, note });
    // A token may expire while the page is open, by the station's clock.
    live.on("health", () => this.tokens.map(stateOf).join() !== this.states && this.render());
  }

  list(tokens) {
    this.tokens = tokens;
    this.render();
  }

  /** Expired and revoked tokens last; names are sorted already. */
  render() {
    this.states = this.tokens.map(stateOf).join();
    const over = (token) => Number(stateOf(token) !== "valid");
    this.show(this.tokens.toSorted((a, b) => over(a) - over(b)).map((each) => this.rowOf(each)));
    if (!this.tokens.length) this.say(words.say("tokens.none"));
  }

  rowOf(token) {
    const { name, role, created_by, created, expires, last_used } = token, state = stateOf(token);
    const made = words.say("tokens.made_by", { who: created_by, time: words.time(created) });
    const revoke = button("button danger", words.say("tokens.revoke"), () => this.revoke(token));
    return row(name, state !== "valid",
      el("span", "two", el("b", "", name), el("small", "", made)), roleOf(role),
      el("span", "token-state", badge(SIGNS[state]), words.say(`tokens.state.${state}`)),
      dayOf(expires, words.say("tokens.forever")), dayOf(last_used, words.say("tokens.unused")),
      el("div", "acts", state !== "revoked" && revoke));
  }

  async add() {
    const options = LAST_DAYS.map((n) =>
      ({ value: String(n), text: words.say("tokens.add.days", { n }) }));
    options.push({ value: "", text: words.say("tokens.add.never") });
    const made = await this.order("tokens.add", {
      notes: [words.say("tokens.note"), rolesExplained()],
      fields: [
        { name: "name", label: words.say("tokens.add.name"), required: true }, roleField("viewer"),
        { name: "days", label: words.say("tokens.add.expires"), type: "choice", options,
          value: "90" },
      ],
      send: ({ name, role, days }) => {
        const expires = days ? new Date(live.now() + Number(days) * DAY_MS).toISOString() : null;
        return change("/tokens", "POST", { name, role, expires });
      },
    });
    if (made) await showOnce(made);
  }

  revoke({ name }) {
    return this.order("tokens.revoke", {
      name, notes: [words.say("tokens.revoke.note")], danger: true,
      send: () => change(this.path(name), "DELETE", undefined),
    });
  }
}

/** Who is told about alerts. They stand in the configuration; here one sees whether it works. */
class RecipientTable extends Table {
  constructor({ onChange }) {
    super("recipients", ["name"], { onChange, note: words.say("recipients.note") });
  }

  list(recipients) {
    const acts = (name) => el("div", "acts",
      button("button", words.say("recipients.test"), () => this.test(name)));
    this.show(recipients.map(({ name }) => row(name, false, el("b", "", name), acts(name))));
    if (!recipients.length) this.say(words.say("recipients.none"));
  }

  async test(name) {
    const answer = await change(`${this.path(name)}/test`, "POST", undefined);
    const { delivered, detail } = answer?.body ?? {};
    const failed = words.refusal(answer) ??
      (delivered ? null : words.say("recipients.test.failed", { name, why: detail }));
    this.changed(failed ?? words.say("recipients.test.done", { name }));
  }
}

function stateOf(token) {
  if (token.revoked) return "revoked";
  return token.expires && Date.parse(token.expires) <= live.now() ? "expired" : "valid";
}

/** Shows a new token until its user confirms that it is kept: Escape must not lose it. */
function showOnce({ name, token }) {
  const title = words.say("tokens.once.title", { name });
  const { field: secret, copy, copied } = copyable(token, title);
  const kept = button("button", words.say("tokens.once.done"), () => box.close());
  const box = modal("ask once", el("h2", "", title),
    el("p", "warning", words.say("tokens.once.warning")), secret,
    el("p", "note", words.say("tokens.once.use")), el("div", "buttons", copied, copy, kept));
  box.addEventListener("cancel", (event) => event.preventDefault());
  copy.focus();
  return new Promise((closed) => box.addEventListener("close", closed));
}
