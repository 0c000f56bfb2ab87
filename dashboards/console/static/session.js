// Requests that change something, and what to do when the session is over.
const config = JSON.parse(document.getElementById("console-config").textContent);

// What a cookie alone may not do needs the token that only this page knows.
export async function ask(path, { method = "POST", body, headers = {} } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent["content-type"] = "application/json";
  if (config.csrf) sent["x-csrf-token"] = config.csrf;
  const answer = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.status === 401) signIn();
  return answer;
}

export function signIn() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// An event stream does not tell why it was refused.
export async function stillSignedIn() {
  if (config.me === null) return;
  const answer = await fetch("/api/v1/me").catch(() => null);
  if (answer?.status === 401) signIn();
}

export function offerSignOut(button) {
  if (!button) return;
  button.textContent = "⎋";
  button.addEventListener("click", async () => {
    await ask("/api/v1/session", { method: "DELETE" }).catch(() => null);
    location.assign("/login");
  });
}
