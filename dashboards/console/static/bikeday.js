// What a bike did on a day, in figures and in words.
import { distanceText } from "./bikefacts.js";
import { words } from "./frame.js";
import { el } from "./page.js";
import { verdictMark } from "./verdicts.js";

export class BikeDay {
  constructor(node) {
    this.node = node;
  }

  show(day) {
    const said = JSON.stringify(day) + words.zones.size; // zones' names may have come
    if (said === this.said) return;
    this.said = said;
    this.node.replaceChildren(figuresOf(day), explained(day), section("day.zones", zonesOf(day)), section("day.verdicts", verdictsOf(day)));
  }
}

function section(key, ...children) {
  return el("section", "card", el("h2", "", words.say(key)), ...children);
}

function figuresOf(day) {
  const figure = (key, text) => el("div", "", el("b", "", text), el("span", "", words.say(key)));
  const number = (value) => (value == null ? "–" : String(value));
  return el("div", "day-figures", figure("day.distance", distanceText(day.distance_m)), figure("day.cells", number(day.cells)),
    figure("day.first", number(day.cells_first)), figure("day.redundant", words.percent(day.redundant_share)));
}

function explained(day) {
  if (day.cells == null) return el("p", "dim", words.say("day.cells.unknown"));
  if (day.redundant_share == null) return el("p", "dim", words.say("day.redundant.none"));
  return el("p", "dim", words.say("day.redundant.why", { all: day.cells, again: day.cells - day.cells_first }));
}

// The zones it was in for longest first.
function zonesOf(day) {
  if (!day.zones.length) return el("p", "dim", words.say("day.zones.none"));
  const most = Math.max(...day.zones.map((zone) => zone.time_s));
  return el("div", "bars", ...[...day.zones].sort((a, b) => b.time_s - a.time_s).map(({ zone_id, time_s, cells }) => {
    const zone = words.zones.get(zone_id);
    const link = el("a", "", zone ? words.zoneName(zone) : zone_id);
    link.href = `/zones/${encodeURIComponent(zone_id)}`;
    return barRow(link, time_s / most, words.duration(time_s), cells == null ? "" : words.say("unit.cells", { n: cells }));
  }));
}

function barRow(name, share, ...texts) {
  const fill = el("i", "fill");
  fill.style.width = `${100 * (share || 0)}%`;
  return el("div", "bar-row", name, el("span", "bar", fill), ...texts.map((text) => el("span", "number", text)));
}

function verdictsOf(day) {
  const found = Object.entries(day.verdicts).sort((a, b) => b[1] - a[1]);
  if (!found.length) return el("p", "dim", words.say("day.verdicts.none"));
  const all = found.reduce((sum, [, fixes]) => sum + fixes, 0);
  return el("dl", "verdicts", ...found.map(([verdict, fixes]) => {
    const item = el("div", "", el("dt", "", verdictMark(verdict), words.say(`verdict.${verdict}`),
      el("b", "number", `${fixes.toLocaleString(words.config.lang)} · ${share(fixes / all)}`)), el("dd", "dim", words.say(`verdict.${verdict}.hint`)));
    item.dataset.verdict = verdict;
    return item;
  }));
}

// A few of many are not none of them.
function share(ratio) {
  return ratio > 0 && ratio < 0.01 ? "<1%" : words.percent(ratio);
}
