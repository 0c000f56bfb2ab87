// What a replay is steered with: banner, spans, time slider with marks, play, speed.
import { say } from "./bikemark.js";
import { config, words } from "./frame.js";
import { fromLocal, toLocal } from "./localtime.js";
import { button, el } from "./page.js";

export const SPEEDS = [10, 30, 60, 120, 300, 600];

export class ReplayBar {
  // `banner` and `bar` are filled; `acts` are called by name with what was chosen.
  constructor(banner, bar, acts) {
    Object.assign(this, { banner, bar, acts });
    this.instant = new Text();
    this.note = el("span", "replay-note");
    banner.append(el("b", "", words.say("replay.banner")), el("time", "", this.instant), this.note, button("button main", words.say("replay.leave"), acts.leave, "Esc"));
    this.spans = el("span", "replay-spans");
    this.span = el("span", "dim");
    this.slider = Object.assign(el("input", "replay-slider"), { type: "range", step: 1000 });
    this.slider.setAttribute("aria-label", words.say("replay.slider"));
    this.slider.addEventListener("input", () => acts.seek(Number(this.slider.value)));
    this.marks = el("div", "replay-marks");
    this.hours = el("div", "replay-hours");
    this.play = button("button main play", "▶", acts.play);
    this.speed = new Text();
    const step = (sign, name, act) => Object.assign(button("button", sign, act), { title: words.say(name), ariaLabel: words.say(name) });
    bar.append(
      el("div", "replay-line", this.spans, this.span),
      el("div", "replay-line",
        step("⇤", "replay.previous_mark", () => acts.mark(-1)), step("‹", "replay.back", () => acts.step(-1)), this.play,
        step("›", "replay.forward", () => acts.step(1)), step("⇥", "replay.next_mark", () => acts.mark(1)),
        el("div", "replay-time", this.marks, this.slider, this.hours),
        step("−", "replay.slower", () => acts.faster(-1)), el("span", "replay-speed", this.speed), step("+", "replay.faster", () => acts.faster(1))),
    );
  }

  open(spans, { from, to }, chosen) {
    this.banner.hidden = this.bar.hidden = false;
    this.spans.replaceChildren(...[...Object.keys(spans), "custom"].map((name) => {
      const press = button("button", words.say(`replay.${name}`), () => this.acts.choose(name));
      press.setAttribute("aria-pressed", name === chosen);
      return press;
    }));
    this.span.textContent = `${words.time(from)} – ${words.time(to)}`;
    Object.assign(this.slider, { min: from, max: to });
    this.hours.replaceChildren(...ticks(from, to).map(({ at, text }) => at_(el("span", "", text), at, from, to)));
    this.showMarks([]);
  }

  close() {
    this.banner.hidden = this.bar.hidden = true;
  }

  // Moments {at, text, kind} under the slider; one is pressed to go there.
  showMarks(marks) {
    const { min, max } = this.slider;
    this.marks.replaceChildren(...marks.map(({ at, text, kind }) => {
      const mark = button(`replay-mark ${kind}`, "", () => this.acts.seek(at));
      mark.title = mark.ariaLabel = `${words.exact(at)} ${text}`;
      mark.tabIndex = -1; // there are keys for going from one to the next
      return at_(mark, at, Number(min), Number(max));
    }));
  }

  show({ at, playing, speed }) {
    const instant = words.exact(at);
    say(this.instant, instant);
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", instant);
    const sign = playing ? "❚❚" : "▶";
    if (this.play.firstChild.data !== sign) {
      this.play.firstChild.data = sign;
      this.play.title = this.play.ariaLabel = words.say(playing ? "replay.pause" : "replay.play");
    }
    say(this.speed, `×${speed}`);
  }

  // What cannot be shown, beside the instant.
  tell(text) {
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

// Full hours of the district, as many as there is room for.
function ticks(from, to) {
  const step_ms = [10, 30, 60, 120, 240].map((minutes) => minutes * 60_000).find((step) => (to - from) / step <= 8);
  const midnight = fromLocal(toLocal(from, config.timezone).slice(0, 10), config.timezone);
  const found = [];
  for (let at = midnight + Math.ceil((from - midnight) / step_ms) * step_ms; at <= to; at += step_ms) {
    found.push({ at, text: toLocal(at, config.timezone).slice(11) });
  }
  return found;
}

function at_(node, at, from, to) {
  node.style.left = `${(100 * (at - from)) / (to - from)}%`;
  return node;
}
