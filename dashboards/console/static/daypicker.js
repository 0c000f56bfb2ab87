// Which local day is looked at: today, which goes on, or one that is over.
import { keys, words } from "./frame.js";
import { el } from "./page.js";

const DAY_MS = 86_400_000;

export class DayPicker {
  // `value` is null for today, whichever day that is by then.
  constructor(onPick) {
    Object.assign(this, { onPick, value: null, today: null });
    this.input = el("input");
    this.input.type = "date";
    this.input.setAttribute("aria-label", words.say("day.pick"));
    this.now = this.button(words.say("day.today"), () => this.pick(null));
    this.before = this.button("‹", () => this.step(-1), "day.before");
    this.after = this.button("›", () => this.step(1), "day.after");
    this.input.addEventListener("change", () => this.input.value && this.pick(this.input.value));
    keys.bind("[", "day.before", () => this.step(-1)).bind("]", "day.after", () => this.step(1));
    this.node = el("div", "day-picker", this.before, this.input, this.after, this.now);
  }

  isToday() {
    return this.value === null;
  }

  // What the API said the day is that was asked for; asked for today, that is how today is known.
  known(date) {
    if (this.isToday()) this.input.max = this.today = date;
    if (document.activeElement !== this.input) this.input.value = date;
    this.after.disabled = this.now.disabled = this.isToday();
  }

  step(by) {
    if (this.today === null || (by > 0 && this.isToday())) return;
    const at = Date.parse(`${this.value ?? this.today}T00:00:00Z`) + by * DAY_MS;
    this.pick(new Date(at).toISOString().slice(0, 10));
  }

  pick(date) {
    this.value = date === null || date >= this.today ? null : date;
    this.input.value = date ?? this.today;
    this.onPick();
  }

  button(text, act, title) {
    const button = el("button", "button", text);
    button.type = "button";
    if (title) button.title = button.ariaLabel = words.say(title);
    button.addEventListener("click", act);
    return button;
  }
}
