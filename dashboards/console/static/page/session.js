// @ts-check
// Requests that change something, and what to do when the session is over.

const config = JSON.parse(document.getElementById("console-config").textContent);
const PATIENCE_MS = 30_000; // a server that has not answered by then is away

// What a cookie alone may not do needs the token that only this page knows. Rejects when no answer
// came.
export async function ask(path, options = {}) {
  let answer = await send(path, options);
  if (answer.status === 403 && (await isOf(answer, "csrf_token_wrong")) && (await renewed())) answer = await send(path, options);
  if (answer.status === 401) signIn();
  return answer;
}

function send(path, { method = "POST", body, headers = {} }) {
  const sent = { ...headers };
  if (body !== undefined) sent["content-type"] = "application/json";
  if (config.csrf) sent["x-csrf-token"] = config.csrf;
  return fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS) });
}

async function isOf(answer, reason) {
  return (await answer.clone().json().catch(() => ({}))).reason === reason;
}

// Whoever has signed in again elsewhere in this browser goes on here; somebody else does not.
async function renewed() {
  const me = await fetch("/api/v1/me").then((answer) => answer.json()).catch(() => null);
  if (!me?.csrf_token || me.name !== config.me) return false;
  config.csrf = me.csrf_token;
  return true;
}

// Whether something on the page would be lost with it.
const unsaved = [() => document.querySelector("dialog.ask") !== null];
export function keepWhile(isUnsaved) {
  unsaved.push(isUnsaved);
}

export function hasUnsaved() {
  return unsaved.some((isUnsaved) => isUnsaved());
}

// To the door, and back; what is being written stays on the page until it is sent or given up.
export function signIn() {
  const door = (next) => `/login?next=${encodeURIComponent(next)}`;
  if (!hasUnsaved()) return location.assign(door(location.pathname + location.search));
  // Over an open dialog nothing else can be pressed.
  const place = document.querySelector("dialog.ask") ?? document.body;
  if (place.querySelector(":scope > .session-over")) return;
  document.querySelector(".session-over")?.remove();
  const link = Object.assign(document.createElement("a"), { href: door("/"), target: "_blank", textContent: config.texts["session.sign_in"] });
  const told = Object.assign(document.createElement("p"), { className: "session-over" });
  told.setAttribute("role", "alert");
  told.append(config.texts["session.over"], " ", link);
  place.prepend(told);
}

// Called when the stream flows, which needs a session.
export function signedIn() {
  document.querySelector(".session-over")?.remove();
}

// An event stream does not tell why it was refused.
export async function stillSignedIn() {
  if (config.me === null) return;
  const answer = await fetch("/api/v1/me").catch(() => null);
  if (answer?.status === 401) signIn();
}

export function offerSignOut(button) {
  button?.addEventListener("click", async () => {
    await ask("/api/v1/session", { method: "DELETE" }).catch(() => null);
    location.assign("/login");
  });
}
