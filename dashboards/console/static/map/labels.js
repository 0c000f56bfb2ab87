// @ts-check
// Labels of the map that keep off each other: each stands at the first of its places that is free,
// without its lesser parts where only that helps, and not at all where nothing does.
import { firstFree } from "../page/dom.js";

const FLOATS = ".map-tools, .leaflet-control, .attribution";

/** Shows labels where they are free of each other, of some boxes, and of what floats on the map;
 * the important ones first.
 * @param {PartedLabel[]} labels @param {Element} frame that they may not leave
 * @param {Box[]} kept boxes that are taken already */
export function part(labels, frame, kept = []) {
  for (const { node } of labels) node.classList.remove("small-label");
  const boxes = labels.map(boxOf); // all at once: each change makes the next measure slow
  const floats = [...frame.querySelectorAll(FLOATS)].map((node) => node.getBoundingClientRect());
  const taken = [...kept, ...floats], within = frame.getBoundingClientRect();
  labels.forEach((label, i) => {
    const { node, small } = label;
    let found = placeOf(label, boxes[i], within, taken);
    if (!found && small) {
      node.classList.add("small-label");
      found = placeOf(label, boxOf(label), within, taken);
    }
    node.classList.toggle("covered-label", !found);
    if (!found) return;
    moved.set(node, found);
    const translate = found.x || found.y ? `${found.x}px ${found.y}px` : "";
    if (node.style.translate !== translate) node.style.translate = translate;
    taken.push(found);
  });
}

/** @type {WeakMap<HTMLElement, {x: number, y: number, index: number}>} */
const moved = new WeakMap();

/** Where a label would stand by itself. @returns {Box} */
function boxOf(/** @type {PartedLabel} */ { node }) {
  const { left, top, right, bottom } = node.getBoundingClientRect();
  const { x, y } = moved.get(node) ?? { x: 0, y: 0 };
  return { left: left - x, top: top - y, right: right - x, bottom: bottom - y };
}

// What moves about stays on its side of it while that is free.
/** @param {PartedLabel} label @param {Box} box where it would stand by itself
 * @param {Box} within @param {Box[]} taken */
function placeOf({ node, moves, stays }, { left, top, right, bottom }, within, taken) {
  const before = stays ? moved.get(node)?.index ?? 0 : 0;
  const places = [before, ...moves.keys()].map((index) => {
    const [x, y] = moves[index](right - left, bottom - top);
    return { index, x, y, left: left + x, top: top + y, right: right + x, bottom: bottom + y };
  });
  return firstFree(places, within, taken);
}
