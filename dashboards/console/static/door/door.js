// @ts-check
// Signs in, sets up or changes the password through the API, then goes where one wanted to go.
import { $ } from "../page/dom.js";

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
  const next = query.get("next") ?? "/";
  const wanted = URL.canParse(next, location.origin) && new URL(next, location.origin);
  if (!wanted || wanted.origin !== location.origin) return "/";
  // With the origin: a path that begins with // would name another server.
  return wanted.origin + wanted.pathname + wanted.search;
}

const doors = {
  login: ({ username, password }) => ["POST", "session", { username, password }],
  setup: ({ username, password }) => ["POST", "setup", { token: secret, username, password }],
  password: (given) => ["PUT", "me/password", { current: given.current, new: given.new }],
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
  const differs = "again" in given && given.again !== (given.password ?? given.new);
  if (differs) return refuse(say("door.different"));
  problem.hidden = true;
  button.disabled = true;
  try {
    const [method, path, body] = doors[config.door](given);
    const headers = { "content-type": "application/json" };
    if (config.csrf) headers["x-csrf-token"] = config.csrf;
    const answer = await fetch(`/api/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    if (answer.ok) return location.replace(config.door === "password" ? "/login" : onward());
    const found = await answer.json();
    const seconds = answer.headers.get("retry-after");
    refuse(say(`door.${found.reason}`, { n: seconds }) ?? say(`refusal.${found.reason}`, found)
      ?? say("refusal.other", found));
  } catch {
    refuse(say("door.failed"));
  }
  button.disabled = false;
});
