// @ts-check
// The frame of every page: the bar with clock and health, the live stream, the notice, the keys.
import { $, button, el, modal } from "./dom.js";
import { Live } from "./live.js";
import { config, hasUnsaved, signedIn, signOut, stillSignedIn } from "./session.js";
import { Words } from "./words.js";

const BEHIND_S = 60;
const NAMES = { ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", Enter: "↵",
  Escape: "Esc", " ": "␣" };

/** Keys for frequent acts; "?" lists them. Keys do nothing while somebody writes in a field. */
class Keys {
  constructor() {
    this.bound = new Map();
    addEventListener("keydown", (event) => this.pressed(event));
    this.bind("?", "keys.help", () => this.help());
  }

  /** `what` is the key of the text that says what it does. With `writing`, while one writes too. */
  bind(key, what, act, { writing = false } = {}) {
    this.bound.set(key, { what, act, writing });
    return this;
  }

  /** Keys of a mode: on top of those of the page until it ends. */
  mode() {
    const before = new Map();
    const mode = {
      bind: (key, what, act) => {
        if (!before.has(key)) before.set(key, this.bound.get(key));
        this.bind(key, what, act);
        return mode;
      },
      end: () => before.forEach((was, key) =>
        was ? this.bound.set(key, was) : this.bound.delete(key)),
    };
    return mode;
  }

  pressed(event) {
    if (event.altKey || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = this.bound.get(event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key);
    const within = (selector) => event.target.closest?.(selector);
    if (!found || within("dialog[open]") || document.querySelector(":popover-open")) return;
    const field = "input:not([type=range]), textarea, select, [contenteditable]";
    if (!found.writing && within(field)) return;
    // Enter and space on a button press that button.
    if ((event.key === "Enter" || event.key === " ") && within("button, a, summary")) return;
    event.preventDefault();
    found.act(event);
  }

  help() {
    document.querySelector("dialog.keys")?.remove();
    const nameOf = (key) => NAMES[key] ?? key.replace(/\w$/, (last) => last.toUpperCase());
    const rows = [...this.bound].map(([key, { what }]) =>
      el("div", "key-row", el("kbd", "", nameOf(key)), el("span", "", words.say(what))));
    const box = modal("keys", el("h2", "", words.say("keys.title")), el("div", "key-rows", rows),
      button("button", words.say("dialog.done"), () => box.close()));
  }
}

export { config };
export const live = new Live({ speed: config.demo_speed ?? 1, onRefused: stillSignedIn });
export const words = new Words(config, () => live.now());
export const keys = new Keys();

const told = new Promise((heard) => live.on("health", heard));

// An upgraded server redirects this page's scripts: load the page again, unless somebody writes.
async function renew() {
  const asked = fetch(import.meta.url, { method: "HEAD", cache: "no-store" });
  if ((await asked.catch(() => null))?.redirected && !hasUnsaved()) location.reload();
}

/** Fills the frame, then the element that is the page's own. */
export async function start(/** @type {(main: HTMLElement) => unknown} */ fill) {
  await null; // until the whole of the page's module is there
  $("theme").addEventListener("click", () => window.switchTheme());
  $("sign-out")?.addEventListener("click", signOut);
  keepQuery($("other-language"));
  for (const { key, name, path } of config.pages) {
    keys.bind(key, `page.${name}`, () => location.assign(path));
  }
  live.on("health", showHealth).on("state", showState).on("open", renew);
  live.on("coverage", (status) => words.zones.set(status.zone_id, status));
  setInterval(showClock, 500);
  if (config.page.allowed) await fill($("main"));
  else $("main").textContent = words.say("page.not_for_you");
  live.start();
}

/** Why something could not be read, with the API's status: 0 when the server was not reached. */
function unreadOf(message, status, body = {}) {
  return Object.assign(new Error(message), { status, body });
}

/** The newest answer of a route of the API; its `any` is one of the types of types.d.ts.
 * @param {string} path @returns {Promise<any>} */
export async function read(path) {
  const answer = await fetch(`/api/v1${path}`).catch(() => {
    throw unreadOf(words.say("alerts.failed"), 0);
  });
  if (answer.status === 401) stillSignedIn();
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw unreadOf(words.problem(body), answer.status, body);
  return body;
}

/** Does some reading now and then, once the system's time is known: one at a time, and none while
 * nobody looks. The notice about the stream says when the server is away. @param {number} every_ms
 * of the system's time @param {() => Promise<unknown>} work */
export async function repeat(every_ms, work) {
  await told;
  async function once() {
    if (!document.hidden) await work().catch(unread);
    setTimeout(once, Math.max(5000, every_ms / live.speed));
  }
  once();
}

/** Ignores a failed reading, which is repeated later; reports any other error. */
export function unread(error) {
  if (!("status" in error)) reportError(error);
}

/** A parameter of the page's address; null where there is none, or not of this shape. */
export function asked(/** @type {string} */ name, shape = /^/) {
  const value = new URLSearchParams(location.search).get(name);
  return value !== null && shape.test(value) ? value : null;
}

/** Sets parameters of the page's address, which can be sent to somebody; null removes one. */
export function setQuery(values) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value == null) query.delete(name);
    else query.set(name, value);
  }
  history.replaceState(history.state, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  keepQuery($("other-language"));
}

// The other language shows the same page, with what was asked of it.
function keepQuery(link) {
  const query = new URLSearchParams(location.search);
  query.set("lang", link.hreflang);
  link.href = `?${query}`;
}

function showState(state) {
  $("notice").hidden = state !== "lost";
  if (state === "live") signedIn();
  if (state !== "lost") return;
  $("notice").textContent = words.say("reconnecting");
  $("health").dataset.level = "bad";
  $("health-text").textContent = words.say("health.unknown");
}

function showClock() {
  if (live.said) $("clock").textContent = words.clock.format(new Date(live.now()));
}

/** Needed parts first: a store that catches up later is told too, but not as an alarm. */
function showHealth(/** @type {Health} */ { bikes, bikes_live, rate_per_s: rate, lag_s, parts }) {
  $("live").textContent = `${bikes_live} / ${bikes}`;
  $("rate").textContent = rate == null ? "–" : rate.toFixed(rate < 10 ? 1 : 0);
  const broken = parts.filter((part) => !part.ok);
  const needed = broken.find((part) => part.required !== false), part = needed ?? broken[0];
  const behind = lag_s > BEHIND_S;
  const says = ({ name, reason }) => `${words.say(`part.${name}`)}${words.say("join.of")}${reason}`;
  $("health").dataset.level = needed ? "bad" : behind || part ? "behind" : "ok";
  const text = needed ? says(needed)
    : behind ? `${words.say("health.behind")} ${words.duration(lag_s)}`
    : part ? says(part) : words.say("health.ready");
  $("health-text").textContent = text;
  $("health").title = broken.map(says).join("\n") || text;
  showClock();
}
