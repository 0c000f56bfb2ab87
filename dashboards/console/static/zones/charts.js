// @ts-check
// Charts as small SVG. Each says in words what it shows; what is coloured is marked as well.
import { firstFree, svg } from "../page/dom.js";
import { words } from "../page/frame.js";

function picture(className, width, height, label, ...children) {
  const viewBox = `0 0 ${width} ${height}`, name = { role: "img", "aria-label": label };
  return svg("svg", { class: `chart ${className}`, viewBox, ...name }, ...children);
}

function line(className, x1, y1, x2, y2) {
  return svg("line", { class: className, x1, y1, x2, y2 });
}

function text(className, x, y, said, anchor = "middle") {
  return svg("text", { class: className, x, y, "text-anchor": anchor }, said);
}

function circle(className, [cx, cy], r) {
  return svg("circle", { class: className, cx, cy, r });
}

/** A path through the points that are known; a gap where one is not. */
function path(className, points) {
  let pen = "M", d = "";
  for (const [x, y] of points) {
    if (y != null) d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = y == null ? "M" : "L";
  }
  return svg("path", { class: className, d });
}

/** Texts of a picture that never overprint: each takes the first of its places that is free, and
 * is left out where none is; the sentence below the picture says everything. */
class Texts {
  /** @param {Box} frame of the picture @param {Box[]} taken where other texts stand already */
  constructor(frame, taken) {
    this.frame = frame;
    this.taken = taken;
  }

  /** @param {string} className @param {string} said @param {[number, number, string][]} places x, y
   * and anchor @returns {SVGElement[]} */
  put(className, said, places) {
    const wide = [...said].reduce((sum, sign) => sum + (sign > "⺀" ? 14 : 9.5), 0);
    const boxes = places.map(([x, y, anchor]) => {
      const left = x - { start: 0, middle: wide / 2, end: wide }[anchor];
      return { x, y, anchor, left, right: left + wide, top: y - 14, bottom: y + 4 };
    });
    const found = firstFree(boxes, this.frame, this.taken);
    if (!found) return [];
    this.taken.push(found);
    return [text(className, found.x, found.y, said, found.anchor)];
  }
}

/** The ratio over a window so far, with the target as a line; the width is the whole window. */
export function sparkline(/** @type {Sparkline} */ { points, target, label }) {
  const width = 120, height = 30, y = (ratio) => height - 3 - ratio * (height - 6);
  const known = points.filter(({ ratio }) => ratio != null);
  /** @returns {any} */
  const place = ({ at, ratio }) => [2 + at * (width - 6), ratio == null ? null : y(ratio)];
  const parts = [line("axis", 0, height - 2, width, height - 2),
    line("target", 0, y(target), width, y(target)), path("curve", points.map(place))];
  if (known.length) parts.push(circle("now", place(known[known.length - 1]), 2.6));
  return picture("sparkline", width, height, label, ...parts);
}

/** A window's progress: the ratio so far, the forecast to its end, the target, and its deadline. */
export function progress(/** @type {ProgressChart} */ chart) {
  const { width, height, from_ms, to_ms, now_ms, points, forecast, target, says } = chart;
  const left = 42, right = 16, top = 26, bottom = 26;
  const x = (at_ms) => left + ((at_ms - from_ms) / (to_ms - from_ms)) * (width - left - right);
  const y = (ratio) => height - bottom - ratio * (height - top - bottom);
  /** @param {RatioPoint} point @returns {any} */
  const place = ({ at_ms, ratio }) => [x(at_ms), ratio == null ? null : y(ratio)];
  const end = width - right;
  const parts = [
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((ratio) => [line("grid", left, y(ratio), end, y(ratio)),
      text("tick", left - 6, y(ratio) + 4, words.percent(ratio), "end")]),
    ...chart.ticks.flatMap(({ at_ms, text: said }) => [
      line("grid", x(at_ms), height - bottom, x(at_ms), height - bottom + 4),
      text("tick", x(at_ms), height - 8, said)]),
    line("axis", left, y(0), end, y(0)), line("deadline", x(to_ms), top - 8, x(to_ms), y(0)),
    line("target", left, y(target), end, y(target)),
  ];
  const ticks = [{ left: 0, right: left - 5, top: top - 8, bottom: height },
    { left: 0, right: width, top: height - bottom + 2, bottom: height }];
  const frame = { left: 0, top: 0, right: width, bottom: height };
  const texts = new Texts(frame, ticks), said = [];
  said.push(...texts.put("deadline-text", says.deadline, [[x(to_ms) + 8, top - 12, "end"]]));
  const known = points.filter(({ ratio }) => ratio != null);
  if (known.length > 1) {
    const steps = known.map((point) => `L${place(point).join(" ")}`).join("");
    const [first, last] = [known[0], known[known.length - 1]].map(({ at_ms }) => x(at_ms));
    parts.push(svg("path", { class: "area", d: `M${first} ${y(0)}${steps}L${last} ${y(0)}Z` }));
  }
  parts.push(path("curve", points.map(place)), path("forecast", forecast.map(place)));
  if (now_ms > from_ms && now_ms < to_ms) {
    parts.push(line("now-line", x(now_ms), top, x(now_ms), y(0)));
  }
  if (known.length) {
    const [cx, cy] = place(known[known.length - 1]);
    parts.push(circle("now", [cx, cy], 4));
    said.push(...texts.put("now-text", says.now, around(Math.max(cx, left + 18), cy)));
  }
  if (forecast.length) {
    const [cx, cy] = place(forecast[forecast.length - 1]);
    parts.push(circle("then", [cx, cy], 3.5));
    said.push(...texts.put("forecast-text", says.forecast, around(cx, Math.min(cy, y(0) - 8))));
  }
  said.push(...texts.put("target-text", says.target, [end - 7, left + 7].flatMap((at, i) =>
    [-6, 15].map((off) => [at, y(target) + off, i ? "start" : "end"]))));
  return picture("progress", width, height, chart.label, ...parts, ...said);
}

/** Places of a text beside a point: above, left of it, below.
 * @returns {[number, number, string][]} */
function around(x, y) {
  return [[x, y - 9, "middle"], [x - 8, y - 8, "end"], [x - 8, y + 18, "end"],
    [x, y + 18, "middle"], [x + 8, y + 18, "start"], [x - 8, y - 26, "end"],
    [x - 8, y + 36, "end"]];
}

const CELL = { width: 54, height: 35, head: 20 };

/** A month as weeks of days. @param {CalendarChart} chart */
export function calendar({ days, label, onDay }) {
  const weeks = Math.ceil((days[0].weekday + days.length) / 7);
  const width = CELL.width * 7, height = CELL.head + CELL.height * weeks;
  const hatch = svg("pattern",
    { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)" },
    svg("rect", { class: "hatch-ground", width: 7, height: 7 }), line("hatch-line", 0, 0, 0, 7));
  const parts = [svg("defs", {}, hatch),
    ...[0, 1, 2, 3, 4, 5, 6].map((day) =>
      text("tick", CELL.width * (day + 0.5), 13, words.say(`day.${day}`)))];
  for (const [i, day] of days.entries()) {
    const place = days[0].weekday + i;
    const left = (place % 7) * CELL.width, top = CELL.head + Math.floor(place / 7) * CELL.height;
    const square = svg("rect", { x: 1.5, y: 1.5, width: CELL.width - 3, height: CELL.height - 3,
      rx: 4 });
    if (day.kind === "unknown") square.style.fill = "url(#hatch)";
    const cell = svg("g", { class: `day ${day.kind} ${day.mark}`,
      transform: `translate(${left} ${top})`, role: "img", tabindex: day.kind === "ahead" ? -1 : 0,
      "aria-label": day.says, "data-date": day.date },
      square, text("date", 6, 13, day.number, "start"));
    if (day.kind === "known") {
      cell.dataset.level = day.level;
      cell.append(text("ratio", CELL.width / 2, 28, words.percent(day.ratio)));
    }
    const mark = { missed: `M${CELL.width - 17} 5h10l-5 8.5z`,
      reached: `M${CELL.width - 16} 9l3 3.5 6 -7` }[day.mark];
    if (mark) cell.append(svg("path", { class: "mark", d: mark }));
    cell.append(svg("title", {}, day.says));
    for (const event of ["mouseenter", "focus", "click"]) {
      cell.addEventListener(event, () => onDay(day));
    }
    parts.push(cell);
  }
  const node = picture("calendar", width, height, label, ...parts);
  node.setAttribute("role", "group"); // its days speak for themselves
  return node;
}
