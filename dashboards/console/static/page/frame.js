// @ts-check
// What every page has: the bar with clock and health, the live stream, the notice, the keys.
import { el } from "./dom.js";
import { Live } from "./live.js";
import { hasUnsaved, offerSignOut, signedIn, stillSignedIn } from "./session.js";
import { Words } from "./words.js";

const BEHIND_S = 60;

export class Keys {
  constructor(words) {
    Object.assign(this, { words, bound: new Map() });
    addEventListener("keydown", (event) => this.pressed(event));
    this.bind("?", "keys.help", () => this.help());
  }

  // `what` is the key of the text that says what it does. With `writing`, while one writes too.
  bind(key, what, act, { writing = false } = {}) {
    this.bound.set(key, { what, act, writing });
    return this;
  }

  // Keys of a mode: on top of those of the page until it ends.
  mode() {
    const before = new Map();
    const mode = {
      bind: (key, what, act) => {
        if (!before.has(key)) before.set(key, this.bound.get(key));
        this.bind(key, what, act);
        return mode;
      },
      end: () => before.forEach((was, key) => (was ? this.bound.set(key, was) : this.bound.delete(key))),
    };
    return mode;
  }

  pressed(event) {
    if (event.altKey || event.isComposing) return;
    const at = event.target, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = this.bound.get(event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key);
    if (!found || at.closest?.("dialog")) return;
    if (!found.writing && at.closest?.("input:not([type=range]), textarea, select, [contenteditable]")) return;
    // Enter and space on a button press that button.
    if ((event.key === "Enter" || event.key === " ") && at.closest?.("button, a, summary")) return;
    event.preventDefault();
    found.act(event);
  }

  help() {
    document.querySelector("dialog.keys")?.remove();
    const rows = [...this.bound].map(([key, { what }]) =>
      el("div", "key-row", el("kbd", "", NAMES[key] ?? nameOf(key)), el("span", "", this.words.say(what))));
    const close = el("button", "button", this.words.say("dialog.done"));
    close.type = "button";
    const box = el("dialog", "keys", el("h2", "", this.words.say("keys.title")), el("div", "key-rows", ...rows), close);
    close.addEventListener("click", () => box.close());
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
  }
}

function nameOf(key) {
  return key.startsWith("Ctrl+") ? `Ctrl+${key.slice(5).toUpperCase()}` : key.toUpperCase();
}

const NAMES = { ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", Enter: "↵", Escape: "Esc", " ": "␣" };

const $ = (id) => document.getElementById(id);

export const config = JSON.parse($("console-config").textContent);
export const words = new Words(config);
export const live = new Live({ onRefused: stillSignedIn });
export const keys = new Keys(words);

live.speed = config.demo_speed ?? 1;
words.now = () => live.now();
const told = new Promise((heard) => live.on("health", heard));

// A server that was upgraded meanwhile has other scripts, and leads from those of this page to them;
// what is being written goes first.
async function renew() {
  const file = await fetch(import.meta.url, { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (file?.redirected && !hasUnsaved()) location.reload();
}

// Fills the frame, then the page: `fill` gets the element that is the page's own.
export async function start(fill) {
  await null; // until the whole of the page's module is there
  const main = $("main");
  $("theme").addEventListener("click", () => window.switchTheme());
  offerSignOut($("sign-out"));
  keepQuery($("other-language"));
  for (const { key, name, path } of config.pages) keys.bind(key, `page.${name}`, () => location.assign(path));
  live.on("health", showHealth).on("state", showState).on("open", renew);
  live.on("coverage", (status) => words.zones.set(status.zone_id, status));
  setInterval(showClock, 500);
  if (!config.page.allowed) {
    main.textContent = words.say("page.not_for_you");
  } else await fill(main);
  live.start();
}

// The newest answer of a route of the API; an error says what the API said, and has its status:
// 0 when the server was not reached.
export async function read(path) {
  const answer = await fetch(`/api/v1${path}`).catch(() => {
    throw Object.assign(new Error(words.say("alerts.failed")), { status: 0 });
  });
  if (answer.status === 401) stillSignedIn();
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(words.problem(body)), { status: answer.status, body });
  return body;
}

// Does some reading now and then, once the system's time is known: one at a time, and none while
// nobody looks. `every_ms` is of that time; the notice about the stream says when the server is away.
export async function repeat(every_ms, work) {
  await told;
  async function once() {
    if (!document.hidden) await work().catch(unread);
    setTimeout(once, Math.max(5000, every_ms / live.speed));
  }
  once();
}

// What could not be read now is read later; any other error is one.
export function unread(error) {
  if (error.status === undefined) reportError(error);
}

// What the address says of the page, so that it can be sent to somebody; null takes it out.
export function setQuery(values) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) value == null ? query.delete(name) : query.set(name, value);
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
  const node = $("notice");
  node.hidden = state !== "lost";
  if (state === "live") signedIn();
  if (state !== "lost") return;
  node.textContent = words.say("reconnecting");
  $("health").dataset.level = "bad";
  $("health-text").textContent = words.say("health.unknown");
}

function showClock() {
  if (live.said) $("clock").textContent = words.clock.format(new Date(live.now()));
}

// Needed parts first: a store that catches up later is told too, but not as an alarm.
function showHealth(health) {
  $("live").textContent = `${health.bikes_live} / ${health.bikes}`;
  $("rate").textContent = health.rate_per_s == null ? "–" : health.rate_per_s.toFixed(health.rate_per_s < 10 ? 1 : 0);
  const broken = health.parts.filter((part) => !part.ok);
  const needed = broken.find((part) => part.required !== false);
  const part = needed ?? broken[0];
  const behind = health.lag_s > BEHIND_S;
  $("health").dataset.level = needed ? "bad" : behind || part ? "behind" : "ok";
  const text = needed ? partSays(needed)
    : behind ? `${words.say("health.behind")} ${words.duration(health.lag_s)}`
    : part ? partSays(part) : words.say("health.ready");
  $("health-text").textContent = text;
  $("health").title = broken.map(partSays).join("\n") || text;
  showClock();
}

function partSays(part) {
  return `${words.say(`part.${part.name}`)}: ${part.reason}`;
}

// One key for each thing that is done often; "?" shows which. Nothing happens while one writes.
