// The users: who may sign in, and as what.
import { change, dayOf, done, press, roleField, roleOf, rolesExplained, row, Table } from "./accounts.js";
import { askFor } from "./dialog.js";
import { config, words } from "./frame.js";
import { el } from "./page.js";

export class UserTable {
  constructor({ onChange, onNames }) {
    Object.assign(this, { onChange, onNames });
    this.table = new Table("users", ["name", "role", "signed_in", "password_changed"], { add: () => this.add() });
    this.node = this.table.node;
  }

  async load() {
    const answer = await this.table.read("/users");
    if (!answer) return;
    this.onNames(answer.users.map((user) => user.username));
    // Who may sign in first; names are sorted already.
    const users = answer.users.sort((a, b) => a.disabled - b.disabled);
    this.table.show(users.map((user) => this.rowOf(user)));
  }

  rowOf(user) {
    const name = user.username;
    const node = row(name,
      [el("b", "", name), ...(name === config.me ? [" ", el("small", "chip", words.say("users.you"))] : []), ...(user.disabled ? [" ", el("small", "chip", words.say("users.disabled"))] : [])],
      roleOf(user.role), dayOf(user.signed_in, words.say("users.never")), dayOf(user.password_changed),
      el("div", "acts", ...(user.disabled ? [press(words.say("users.enable"), () => this.enable(user))] : [
        press(words.say("users.change_role"), () => this.setRole(user)),
        press(words.say("users.set_password"), () => this.setPassword(user)),
        press(words.say("users.disable"), () => this.disable(user), "danger"),
      ])));
    node.classList.toggle("over", user.disabled);
    return node;
  }

  add() {
    return this.askAnd({
      title: words.say("users.add"), note: `${words.say("users.add.note")}\n\n${rolesExplained()}`, go: words.say("users.add"),
      fields: [{ name: "username", label: words.say("users.name"), required: true }, roleField("dispatcher"),
        { name: "password", label: words.say("users.password.first"), type: "password", required: true }],
    }, (given) => change("/users", "POST", given), (given, said) => words.say("users.add.done", { name: said.username }));
  }

  async setRole(user) {
    const name = user.username;
    const notes = [rolesExplained(), words.say("users.change_role.note"), ...(name === config.me ? [words.say("users.change_role.self")] : [])];
    const given = await this.askAnd({ title: words.say("users.change_role.title", { name }), note: notes.join("\n\n"), fields: [roleField(user.role)], go: words.say("users.save") },
      (given) => this.patch(name, given), (given) => words.say("users.change_role.done", { name, role: words.say(`role.${given.role}`) }));
    if (given && name === config.me) location.reload(); // the page may not be for this user any more
  }

  setPassword({ username: name }) {
    return this.askAnd({
      title: words.say("users.set_password.title", { name }), note: words.say("users.set_password.note", { name }), go: words.say("users.save"),
      fields: [{ name: "password", label: words.say("door.new"), type: "password", required: true }],
    }, (given) => this.patch(name, given), () => words.say("users.set_password.done", { name }));
  }

  disable({ username: name }) {
    const notes = [words.say("users.disable.note", { name }), ...(name === config.me ? [words.say("users.disable.self")] : [])];
    return this.askAnd({ title: words.say("users.disable.title", { name }), note: notes.join("\n"), go: words.say("users.disable.go"), danger: true },
      () => this.patch(name, { disabled: true }), () => words.say("users.disable.done", { name }));
  }

  async enable({ username: name }) {
    const { wrong } = await this.patch(name, { disabled: false });
    done(wrong ?? words.say("users.enable.done", { name }));
    this.changed();
  }

  patch(name, body) {
    return change(`/users/${encodeURIComponent(name)}`, "PATCH", body);
  }

  // A form that stays until the API has taken what it says, or it was left.
  async askAnd(form, send, told) {
    let said = null;
    const given = await askFor(words, { ...form, send: async (values) => (said = await send(values)).wrong });
    if (!given) return;
    done(told(given, said));
    this.changed();
    return given;
  }

  changed() {
    this.load();
    this.onChange();
  }
}
