// @ts-check
// The settings of the page, requests that change something, and the end of the session.
import { $, el } from "./dom.js";

const PATIENCE_MS = 30_000; // a server that has not answered by then is away

/** @type {Config} */ export const config = JSON.parse($("console-config").textContent);

/** Sends a change with the CSRF token, which only this page knows. Rejects without an answer.
 * @param {string} path @param {ChangeOptions} options */
export async function ask(path, options = {}) {
  let answer = await send(path, options);
  if (answer.status === 403) {
    const { reason } = await answer.clone().json().catch(() => ({}));
    if (reason === "csrf_token_wrong" && (await renewed())) answer = await send(path, options);
  }
  if (answer.status === 401) signIn();
  return answer;
}

/** Sends a change. @returns {Promise<Answered | null>} null when no answer came that can be read */
export async function change(path, method, body, headers = {}) {
  try {
    const answer = await ask(`/api/v1${path}`, { method, body, headers }), { ok, status } = answer;
    return { ok, status, body: status === 204 ? {} : await answer.json() };
  } catch {
    return null;
  }
}

function send(path, { method = "POST", body = /** @type {any} */ (undefined), headers = {} }) {
  const sent = { ...headers }, isFile = body instanceof Blob;
  if (body !== undefined) {
    sent["content-type"] = isFile ? "application/octet-stream" : "application/json";
  }
  if (config.csrf) sent["x-csrf-token"] = config.csrf;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const content = body === undefined || isFile ? body : JSON.stringify(body);
  return fetch(path, { method, headers: sent, body: content, signal });
}

// Go on here when the same user has signed in again elsewhere in this browser.
async function renewed() {
  const me = await fetch("/api/v1/me").then((answer) => answer.json()).catch(() => null);
  if (!me?.csrf_token || me.name !== config.me) return false;
  config.csrf = me.csrf_token;
  return true;
}

// Whether something on the page would be lost with it.
const unsaved = [() => document.querySelector("dialog.ask") !== null];
export function keepWhile(/** @type {() => boolean} */ isUnsaved) {
  unsaved.push(isUnsaved);
}

export function hasUnsaved() {
  return unsaved.some((isUnsaved) => isUnsaved());
}

/** Leads to the sign-in page and back; a form that is open stays until it is sent or left. */
export function signIn() {
  const door = (next) => `/login?next=${encodeURIComponent(next)}`;
  if (!hasUnsaved()) return location.assign(door(location.pathname + location.search));
  // Over an open dialog nothing else can be pressed.
  const place = document.querySelector("dialog.ask") ?? document.body;
  if (place.querySelector(":scope > .session-over")) return;
  signedIn();
  place.prepend(el("p", { className: "session-over", role: "alert" }, config.texts["session.over"],
    " ", el("a", { href: door("/"), target: "_blank" }, config.texts["session.sign_in"])));
}

/** Takes the notice away when the stream flows, which needs a session. */
export function signedIn() {
  document.querySelector(".session-over")?.remove();
}

/** An event stream does not tell why it was refused. */
export async function stillSignedIn() {
  if (config.me === null) return;
  const answer = await fetch("/api/v1/me").catch(() => null);
  if (answer?.status === 401) signIn();
}

export async function signOut() {
  await ask("/api/v1/session", { method: "DELETE" }).catch(() => null);
  location.assign("/login");
}
