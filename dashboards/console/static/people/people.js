// @ts-check
// Who may come in and do what: users, tokens of programs, and the record of every change.
import { el } from "../page/dom.js";
import { config, read, start, words } from "../page/frame.js";
import { press, TokenTable, UserTable } from "./accounts.js";

start(async (main) => {
  if (config.me === null) return main.replaceChildren(openToAll());
  const audit = new AuditList();
  const users = new UserTable({ onChange: () => audit.load(), onNames: (names) => audit.suggest(names) });
  const tokens = new TokenTable({ onChange: () => audit.load() });
  main.replaceChildren(el("div", "accounts", users.node, tokens.node), audit.node);
  await Promise.all([users.load(), tokens.load(), audit.load()]);
});

// Without access control there is nobody to manage.
function openToAll() {
  const steps = [1, 2, 3].map((n) => el("li", "", words.say(`people.open.step_${n}`)));
  return el("section", "panel open-to-all", el("h1", "", el("span", "open-sign", "!"), words.say("people.open.title")), el("p", "", words.say("people.open.what")),
    el("p", "", words.say("people.open.how")), el("ol", "", ...steps));
}

// The audit record: every change, the newest first.

const PAGE = 50;
const DID = "audit.did.";
const ALERT_ACT = /^POST \/alerts\/\{alert_id\}\/(\w+)$/;

export class AuditList {
  constructor() {
    this.who = el("input", "filter");
    Object.assign(this.who, { type: "search", placeholder: words.say("audit.actor"), maxLength: 100 });
    this.who.setAttribute("list", "known-actors");
    this.actors = el("datalist");
    this.actors.id = "known-actors";
    this.what = el("select", "filter");
    this.what.append(new Option(words.say("audit.any"), ""));
    for (const [node, name] of [[this.who, "audit.who"], [this.what, "audit.action"]]) {
      node.setAttribute("aria-label", words.say(name));
      node.addEventListener("change", () => this.load());
    }
    for (const key of Object.keys(words.config.texts)) if (key.startsWith(DID) && key !== `${DID}alert`) this.offer(key.slice(DID.length));
    this.list = el("ol", "audit");
    this.more = press(words.say("list.more"), () => this.load({ on: true }));
    this.more.hidden = true;
    this.node = el("section", "panel audit-panel", el("div", "panel-head", el("h2", "", words.say("audit")), el("span", "space"), this.who, this.actors, this.what),
      el("div", "rows", this.list, this.more));
  }

  // Names that may be looked for.
  suggest(names) {
    this.actors.replaceChildren(...names.map((name) => new Option(name)));
  }

  // From the newest, or `on` from where the list ends.
  async load({ on = false } = {}) {
    const asked = new URLSearchParams({ limit: PAGE });
    for (const [name, value] of [["actor", this.who.value.trim()], ["action", this.what.value], ["cursor", on && this.cursor]]) if (value) asked.set(name, value);
    const begun = (this.begun = {});
    try {
      const { entries, next_cursor } = await read(`/audit?${asked}`);
      if (this.begun !== begun) return; // something else was asked meanwhile
      this.cursor = next_cursor;
      this.more.hidden = !next_cursor;
      for (const entry of entries) this.offer(entry.action);
      const rows = entries.map(rowOf);
      if (on) this.list.append(...rows);
      else this.list.replaceChildren(...(rows.length ? rows : [el("li", "empty", words.say("audit.none"))]));
    } catch (error) {
      this.list.replaceChildren(el("li", "empty", words.say("people.failed", { why: error.message })));
    }
  }

  offer(action) {
    if (![...this.what.options].some((option) => option.value === action)) this.what.append(new Option(inWords(action), action));
  }
}

// An act of the API that has no words of its own is shown as the API names it.
function inWords(action) {
  const act = ALERT_ACT.exec(action)?.[1];
  if (act) return words.say(`${DID}alert`, { act: words.say(`act.${act}`) });
  return `${DID}${action}` in words.config.texts ? words.say(`${DID}${action}`) : action;
}

function rowOf({ at, actor, address, action, subject, detail }) {
  const more = Object.entries(detail).filter(([, value]) => value !== null).map(detailOf);
  const item = el("li", "", el("time", "", words.time(at)),
    el("p", "", el("b", "", actor || "–"), " ", inWords(action), subject ? " · " : "", el("span", "subject", subject)),
    el("small", "", [address, ...more].filter(Boolean).join(" · ")));
  item.dataset.action = action;
  return item;
}

function detailOf([name, value]) {
  const text = name.endsWith("_ms") ? words.time(new Date(value).toISOString())
    : `role.${value}` in words.config.texts ? words.say(`role.${value}`)
    : typeof value === "object" ? JSON.stringify(value) : String(value);
  const key = `audit.detail.${name}`;
  return key in words.config.texts ? words.say(key, { n: text }) : `${name} ${text}`;
}
