// Small pieces of the page. Every text becomes a text node: nothing from outside is ever HTML.
import { toLocal } from "./localtime.js";

export function el(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export function svg(viewBox, d, className) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", viewBox);
  node.setAttribute("class", className);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  node.append(path);
  return node;
}

// Shows these nodes in this order. What already stands right is not touched.
export function place(body, nodes) {
  if (nodes.length !== body.children.length || nodes.some((node, i) => body.children[i] !== node)) {
    body.replaceChildren(...nodes);
  }
}

export function button(className, text, press, key) {
  const node = el("button", className, text, ...(key ? [el("kbd", "", key.toUpperCase())] : []));
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

export function zonePath(zoneId) {
  return `/zones/${encodeURIComponent(zoneId)}`;
}

export function zoneLink(zoneId, text) {
  return Object.assign(el("a", "zone-link", text), { href: zonePath(zoneId) });
}

// A state's mark: its colour and, for eyes that cannot tell colours, a shape and a sign.
const SIGNS = { overdue: "!", short: "↓", due: "◔", unmeasurable: "?", compliant: "✓", off_duty: "–", paused: "Ⅱ" };

export function badge(state) {
  return el("span", `badge badge-${state in SIGNS ? state : "off_duty"}`, SIGNS[state] ?? "·");
}

export class Words {
  constructor(config) {
    this.config = config;
    this.clock = new Intl.DateTimeFormat(config.lang === "zh" ? "zh-CN" : "en-GB", {
      timeZone: config.timezone, weekday: "short", month: "short", day: "numeric",
      hour: "2-digit", minute: "2-digit", second: config.demo_speed ? undefined : "2-digit", hourCycle: "h23",
    });
    const { locale } = this.clock.resolvedOptions();
    const second = { timeZone: config.timezone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    this.hour = new Intl.DateTimeFormat(locale, second);
    this.day = new Intl.DateTimeFormat(locale, { ...second, weekday: "short", month: "short", day: "numeric" });
    this.zones = new Map(); // by id, as the stream tells them
  }

  time(text) {
    return this.clock.format(new Date(text));
  }

  // To the second, also where the clock of the bar runs too fast for them.
  exact(at, { day = true } = {}) {
    return (day ? this.day : this.hour).format(new Date(at));
  }

  // The district's date ("2026-11-25"), weekday (0 is Monday) and minute of the day at an instant.
  local(at_ms) {
    const [date, time] = toLocal(at_ms, this.config.timezone).split("T"), [hours, minutes] = time.split(":").map(Number);
    return { date, weekday: (new Date(date).getUTCDay() + 6) % 7, minute: hours * 60 + minutes };
  }

  say(key, values = {}) {
    const text = this.config.texts[key] ?? key.slice(key.indexOf(".") + 1);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  // Sentences one after the other: Chinese has no space between them.
  prose(...sentences) {
    return sentences.join(this.config.lang === "zh" ? "" : " ");
  }

  zoneName(zone) {
    return (this.config.lang === "zh" && zone.name_zh) || zone.name;
  }

  percent(ratio) {
    if (ratio == null) return "–";
    // Rounded down: 80 % is only shown once it is reached.
    return `${Math.floor(ratio * 100 + 1e-9)}%`;
  }

  duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return this.say("unit.s", { n: s });
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (hours < 1) return this.say("unit.min", { n: minutes });
    if (days < 1) {
      const m = minutes % 60;
      return m ? this.say("unit.h_min", { n: hours, m }) : this.say("unit.h", { n: hours });
    }
    return hours % 24 ? this.say("unit.d_h", { n: days, m: hours % 24 }) : this.say("unit.d", { n: days });
  }

  // What an alert is about: a zone by its name, else a bike or a vendor.
  subject(alert) {
    const zone = alert.zone_id && this.zones.get(alert.zone_id);
    return (zone ? this.zoneName(zone) : alert.zone_id) ?? alert.bike ?? alert.vendor ?? "";
  }

  // A problem document of the API in words. What somebody has to put right in particular is in its
  // own words only, which are English: they stand behind ours.
  problem({ reason, detail }) {
    const key = [`refusal.${reason}`, `door.${reason}`].find((each) => each in this.config.texts);
    return key ? this.say(key, { detail }) : this.say("refusal.other", { detail: detail ?? reason ?? "" });
  }

  refusal(problem) {
    return this.say("alerts.refused", { why: this.problem(problem) });
  }

  since(text) {
    return this.duration((this.now() - Date.parse(text)) / 1000);
  }
}
