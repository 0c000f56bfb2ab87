// Who may come in and do what: users, tokens of programs, and the record of every change.
import { AuditList } from "./auditlist.js";
import { config, start, words } from "./frame.js";
import { el } from "./page.js";
import { TokenTable } from "./tokens.js";
import { UserTable } from "./users.js";

start(async (main) => {
  if (config.me === null) return main.replaceChildren(openToAll());
  const audit = new AuditList();
  const users = new UserTable({ onChange: () => audit.load(), onNames: (names) => audit.suggest(names) });
  const tokens = new TokenTable({ onChange: () => audit.load() });
  main.replaceChildren(el("div", "accounts", users.node, tokens.node), audit.node);
  await Promise.all([users.load(), tokens.load(), audit.load()]);
});

// Without access control there is nobody to manage.
function openToAll() {
  const steps = [1, 2, 3].map((n) => el("li", "", words.say(`people.open.step_${n}`)));
  return el("section", "panel open-to-all", el("h1", "", el("span", "open-sign", "!"), words.say("people.open.title")), el("p", "", words.say("people.open.what")),
    el("p", "", words.say("people.open.how")), el("ol", "", ...steps));
}
