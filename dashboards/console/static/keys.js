// One key for each thing that is done often; "?" shows which. Nothing happens while one writes.
import { el } from "./page.js";

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
