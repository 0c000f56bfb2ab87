// The tokens of programs. A token is shown once, when it is made; afterwards nobody has it but its program.
import { change, dayOf, done, press, roleField, roleOf, rolesExplained, row, Table } from "./accounts.js";
import { askFor } from "./dialog.js";
import { live, words } from "./frame.js";
import { badge, el } from "./page.js";

const LAST_DAYS = [30, 90, 365];
const DAY_MS = 86_400_000;
const SIGNS = { valid: "compliant", expired: "due", revoked: "off_duty" };

export class TokenTable {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.table = new Table("tokens", ["name", "role", "state", "expires", "used"], { add: () => this.add(), note: words.say("tokens.note") });
    this.node = this.table.node;
    this.tokens = [];
    // One may expire while the page is open, by the station's clock.
    live.on("health", () => this.tokens.map(stateOf).join() !== this.states && this.render());
  }

  async load() {
    const answer = await this.table.read("/tokens");
    if (!answer) return;
    this.tokens = answer.tokens;
    this.render();
  }

  // Those that are over last; names are sorted already.
  render() {
    this.states = this.tokens.map(stateOf).join();
    const sorted = this.tokens.toSorted((a, b) => (stateOf(a) !== "valid") - (stateOf(b) !== "valid"));
    this.table.show(sorted.map((token) => this.rowOf(token)), { empty: "tokens.none" });
  }

  rowOf(token) {
    const state = stateOf(token);
    const node = row(token.name,
      el("span", "two", el("b", "", token.name), el("small", "", words.say("tokens.made_by", { who: token.created_by, time: words.time(token.created) }))),
      roleOf(token.role), el("span", "token-state", badge(SIGNS[state]), words.say(`tokens.state.${state}`)),
      dayOf(token.expires, words.say("tokens.forever")), dayOf(token.last_used, words.say("tokens.unused")),
      el("div", "acts", ...(state === "revoked" ? [] : [press(words.say("tokens.revoke"), () => this.revoke(token), "danger")])));
    node.classList.toggle("over", state !== "valid");
    return node;
  }

  async add() {
    let made = null;
    const options = [...LAST_DAYS.map((n) => ({ value: String(n), text: words.say("tokens.add.days", { n }) })), { value: "", text: words.say("tokens.add.never") }];
    await askFor(words, {
      title: words.say("tokens.add"), note: `${words.say("tokens.note")}\n\n${rolesExplained()}`, go: words.say("tokens.add"),
      fields: [{ name: "name", label: words.say("tokens.add.name"), required: true }, roleField("viewer"),
        { name: "days", label: words.say("tokens.add.expires"), type: "choice", options, value: "90" }],
      send: async ({ name, role, days }) => {
        const expires = days ? new Date(live.now() + Number(days) * DAY_MS).toISOString() : null;
        const said = await change("/tokens", "POST", { name, role, expires });
        if (!said.wrong) made = said;
        return said.wrong;
      },
    });
    if (!made) return;
    this.changed();
    await showOnce(made);
  }

  async revoke({ name }) {
    const given = await askFor(words, {
      title: words.say("tokens.revoke.title", { name }), note: words.say("tokens.revoke.note"), go: words.say("tokens.revoke.go"), danger: true,
      send: async () => (await change(`/tokens/${encodeURIComponent(name)}`, "DELETE")).wrong,
    });
    if (!given) return;
    done(words.say("tokens.revoke.done", { name }));
    this.changed();
  }

  changed() {
    this.load();
    this.onChange();
  }
}

function stateOf(token) {
  if (token.revoked) return "revoked";
  return token.expires && Date.parse(token.expires) <= live.now() ? "expired" : "valid";
}

// Stays until somebody says that it is kept: Escape must not lose it.
function showOnce({ name, token }) {
  const secret = el("input", "secret"), copied = el("span", "copied");
  Object.assign(secret, { value: token, readOnly: true });
  secret.setAttribute("aria-label", words.say("tokens.once.title", { name }));
  secret.addEventListener("focus", () => secret.select());
  copied.setAttribute("role", "status");
  const copy = press(words.say("tokens.once.copy"), async () => {
    secret.select();
    // Browsers give the clipboard to pages of this machine or over TLS only.
    const ok = await navigator.clipboard?.writeText(token).then(() => true, () => false);
    copied.textContent = words.say(ok ? "tokens.once.copied" : "tokens.once.select");
  }, "main");
  const box = el("dialog", "ask once", el("h2", "", words.say("tokens.once.title", { name })), el("p", "warning", words.say("tokens.once.warning")), secret,
    el("p", "note", words.say("tokens.once.use")),
    el("div", "buttons", copied, copy, press(words.say("tokens.once.done"), () => box.close())));
  box.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(box);
  box.showModal();
  copy.focus();
  return new Promise((closed) => box.addEventListener("close", () => closed(box.remove())));
}
