// Signs in, sets up or changes the password through the API, then goes where one wanted to go.
const $ = (id) => document.getElementById(id);
const config = JSON.parse($("door-config").textContent);
const form = $("door"), button = form.querySelector("button"), problem = $("problem");

// The secret of the one-time link stays in this page: no server or history has it from here on.
const secret = location.hash.slice(1);
if (secret) history.replaceState(null, "", location.pathname + location.search);

const query = new URLSearchParams(location.search);
const language = $("language");
query.set("lang", language.hreflang);
language.href = `?${query}${secret ? `#${secret}` : ""}`;

function say(key, values = {}) {
  const text = config.texts[key];
  return text?.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Only to a page of this server: a link may not lead a person who signed in somewhere else.
function onward() {
  try {
    const wanted = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
    if (wanted.origin === location.origin) return wanted.pathname + wanted.search;
  } catch { /* not an address */ }
  return "/";
}

const doors = {
  login: (given) => ["POST", "/api/v1/session", { username: given.username, password: given.password }],
  setup: (given) => ["POST", "/api/v1/setup", { token: secret, username: given.username, password: given.password }],
  password: (given) => ["PUT", "/api/v1/me/password", { current: given.current, new: given.new }],
};

function refuse(text) {
  problem.textContent = text;
  problem.hidden = false;
}

if (config.door === "setup" && !secret) {
  refuse(say("door.invitation_missing"));
  button.disabled = true;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  if ("again" in given && given.again !== (given.password ?? given.new)) return refuse(say("door.different"));
  problem.hidden = true;
  button.disabled = true;
  try {
    const [method, path, body] = doors[config.door](given);
    const headers = { "content-type": "application/json" };
    if (config.csrf) headers["x-csrf-token"] = config.csrf;
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
    if (answer.ok) return location.replace(config.door === "password" ? "/login" : onward());
    const found = await answer.json();
    const seconds = answer.headers.get("retry-after");
    refuse(say(`door.${found.reason}`, { n: seconds }) ?? say(`refusal.${found.reason}`, found) ?? say("refusal.other", found));
  } catch {
    refuse(say("door.failed"));
  }
  button.disabled = false;
});
