// A month of a zone: how much of it was covered each day, and which days missed their target.
import { calendar } from "./charts.js";
import { live, read, words } from "./frame.js";
import { button, el } from "./page.js";

export class ZoneDays {
  constructor(body, zoneId) {
    Object.assign(this, { zoneId, title: el("b", "month"), frame: el("div", "chart-frame"), says: el("p", "says") });
    this.later = button("button", "›", () => this.go(1));
    const sooner = button("button", "‹", () => this.go(-1));
    sooner.title = words.say("zone.month.before");
    this.later.title = words.say("zone.month.after");
    this.says.setAttribute("role", "status");
    body.append(el("div", "month-head", sooner, this.title, this.later, el("span", "space"), legend()), this.frame, this.says);
  }

  async go(by) {
    const [year, month] = this.month.split("-").map(Number);
    this.month = new Date(Date.UTC(year, month - 1 + by)).toISOString().slice(0, 7);
    await this.load();
  }

  // Days change slowly: asked for again now and then, and when somebody turns the page.
  async load() {
    const today = words.local(live.now()).date;
    const month = (this.month ??= today.slice(0, 7)), last = lastOf(month);
    this.later.disabled = month >= today.slice(0, 7);
    this.title.textContent = new Intl.DateTimeFormat(words.config.lang === "zh" ? "zh-CN" : "en-GB", { year: "numeric", month: "long", timeZone: "UTC" }).format(new Date(`${month}-01`));
    const answer = await read(`/coverage/${encodeURIComponent(this.zoneId)}/days?from=${month}-01&to=${month}-${last}`).catch((error) => ({ error }));
    if (month !== this.month) return; // another was turned to meanwhile
    if (answer.error) return this.frame.replaceChildren(el("div", "empty", answer.error.message));
    const known = new Map(answer.days.map((day) => [day.date, day]));
    const drawn = JSON.stringify([month, today, answer.days]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const days = Array.from({ length: last }, (_, i) => dayOf(`${month}-${String(i + 1).padStart(2, "0")}`, known, today));
    const missed = days.filter((day) => day.mark === "missed").length, unknown = days.filter((day) => day.kind === "unknown").length;
    const label = words.say("zone.month", { month: this.title.textContent, missed, unknown });
    this.says.textContent = label;
    this.frame.replaceChildren(calendar({
      days, weekdays: Array.from({ length: 7 }, (_, i) => words.say(`day.${i}`)), percent: (ratio) => words.percent(ratio), label,
      onDay: (day) => (this.says.textContent = day.says),
    }));
  }
}

function lastOf(month) {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 0)).getUTCDate();
}

function dayOf(date, known, today) {
  const day = known.get(date), at = new Date(date);
  const kind = day ? "known" : date > today ? "ahead" : "unknown";
  return {
    date, kind, number: String(at.getUTCDate()), weekday: (at.getUTCDay() + 6) % 7,
    ratio: day?.covered_ratio, level: day && Math.min(4, Math.floor(day.covered_ratio * 5 + 1e-9)),
    mark: day?.reached === false ? "missed" : day?.reached ? "reached" : "",
    says: day ? saysOf(day) : words.say(`zone.day.${kind}`, { date }),
  };
}

function saysOf(day) {
  const facts = [
    words.say("zone.day", { date: day.date, ratio: words.percent(day.covered_ratio), target: words.percent(day.target), n: day.cells_covered, total: day.cells_total }),
    day.reached == null ? words.say(day.duty_s ? "zone.day.open" : "zone.day.free") : words.say(day.reached ? "zone.day.reached" : "zone.day.missed"),
  ];
  if (day.mean_idle_s != null) facts.push(words.say("zone.day.idle", { time: words.duration(day.mean_idle_s) }));
  return facts.join(" · ");
}

function legend() {
  const levels = Array.from({ length: 5 }, (_, level) => Object.assign(el("i", "swatch"), { title: `${level * 20}–${level * 20 + 20}%` }));
  levels.forEach((node, level) => (node.dataset.level = level));
  return el("span", "key", el("span", "item", "0%", ...levels, "100%"),
    el("span", "item missed", el("i", "mark", "▼"), words.say("zone.key.missed")), el("span", "item", el("i", "swatch hatched"), words.say("zone.key.unknown")));
}
