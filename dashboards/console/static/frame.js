// What every page has: the bar with clock and health, the live stream, the notice, the keys.
import { Keys } from "./keys.js";
import { Live } from "./live.js";
import { Words } from "./page.js";
import { hasUnsaved, offerSignOut, signedIn, stillSignedIn } from "./session.js";

const BEHIND_S = 60;

const $ = (id) => document.getElementById(id);

export const config = JSON.parse($("console-config").textContent);
export const words = new Words(config);
export const live = new Live({ onRefused: stillSignedIn });
export const keys = new Keys(words);

live.speed = config.demo_speed ?? 1;
words.now = () => live.now();
const told = new Promise((heard) => live.on("health", heard));

// NiceGUI puts the frame into the page after this script has begun.
export async function appears(id) {
  while (!$(id)) await new Promise(requestAnimationFrame);
  return $(id);
}

// From here on the page lives by the API alone. NiceGUI's socket would load it again, with all that
// is written on it, whenever the server was away for some seconds.
function leave(socket) {
  socket.off("connect_error").off("try_reconnect");
  if (socket.connected) socket.disconnect();
  else socket.once("connect", () => socket.disconnect());
}

// A server that was upgraded meanwhile has other scripts; what is being written goes first.
let edition = null;
async function renew() {
  const file = await fetch("/console/frame.js", { method: "HEAD", cache: "no-store" }).catch(() => null);
  const found = file?.ok ? file.headers.get("etag") : null;
  edition ??= found;
  if (found && found !== edition && !hasUnsaved()) location.reload();
}

// Leaflet's style goes before our own, which adapts it; once, however often it is asked for.
let styled = null;
export function leafletStyle() {
  if (styled) return styled;
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: import.meta.resolve("nicegui-leaflet/leaflet/leaflet.css") });
  document.head.prepend(style);
  return (styled = new Promise((done) => (style.onload = style.onerror = done)));
}

// Fills the frame, then the page: `fill` gets the element that is the page's own.
export async function start(fill) {
  document.documentElement.lang = config.lang;
  rememberLanguage();
  const main = await appears("main");
  leave(window.socket);
  main.parentElement.closest("main")?.setAttribute("role", "presentation"); // NiceGUI's, around bar and page
  $("theme").textContent = "◐";
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

function rememberLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked) document.cookie = `zhixun_language=${config.lang}; path=/; max-age=31536000; samesite=lax`;
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
