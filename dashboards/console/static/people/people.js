// @ts-check
// Users, tokens of programs, and the audit record.
import { button, el } from "../page/dom.js";
import { config, read, start, words } from "../page/frame.js";
import { TokenTable, UserTable } from "./accounts.js";

const PAGE = 50;
const DID = "audit.did.";
const ALERT_ACT = /^POST \/alerts\/\{alert_id\}\/(\w+)$/;

start(async (main) => {
  if (config.me === null) return main.replaceChildren(openToAll());
  const audit = new AuditList(), onChange = () => audit.load();
  const users = new UserTable({ onChange, onNames: (names) => audit.suggest(names) });
  const tokens = new TokenTable({ onChange });
  main.replaceChildren(el("div", "accounts", users.node, tokens.node), audit.node);
  await Promise.all([users.load(), tokens.load(), audit.load()]);
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
    for (const node of [this.who, this.what]) node.addEventListener("change", () => this.load());
    for (const key of Object.keys(words.config.texts)) {
      if (key.startsWith(DID) && key !== `${DID}alert`) this.offer(key.slice(DID.length));
    }
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
    const asked = new URLSearchParams([["limit", String(PAGE)], ...given]);
    const begun = (this.begun = {});
    const says = (text) => this.list.replaceChildren(el("li", "empty", text));
    try {
      const { entries, next_cursor } = await read(`/audit?${asked}`);
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
