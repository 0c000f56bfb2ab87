// @ts-check
// Small pieces of the page. Every text becomes a text node: nothing from outside is ever HTML.

/** An element with a class, or with properties (`data` and `style` have their own), and children;
 * lists of children are taken apart, and what is not there (null, false) is left out.
 * @template {keyof HTMLElementTagNameMap} K @param {K} tag
 * @param {string | Record<string, any>} is @param {...(Child | Child[])} children */
export function el(tag, is = "", ...children) {
  const node = document.createElement(tag);
  const given = typeof is !== "string" ? is : is ? { className: is } : {};
  const { data = {}, style = {}, ...properties } = given;
  Object.assign(node, properties);
  Object.assign(node.dataset, data);
  Object.assign(node.style, style);
  return fill(node, ...children);
}

/** Replaces the children of an element, as `el` takes them.
 * @template {Element} E @param {E} node @param {...(Child | Child[])} children */
export function fill(node, ...children) {
  node.replaceChildren(.../** @type {(Node | string)[]} */ (children.flat().filter(Boolean)));
  return node;
}

/** Says that there is nothing to show, what that means, and where to go on.
 * @param {string} title @param {string} [why] @param {Child} [way] */
export function nothing(title, why, way) {
  return el("div", "empty", el("b", "", title), why && el("p", "", why), way && el("p", "", way));
}

/** Opens a dialog, which goes when it is closed. @param {...(Child | Child[])} children */
export function modal(is, ...children) {
  const box = el("dialog", is, ...children);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

/** A button with a sign instead of a text. */
export function signButton(className, sign, title, press) {
  return button({ className, title, ariaLabel: title }, sign, press);
}

/** Lesser acts, behind one button that opens them. @param {HTMLElement[]} nodes */
export function menu(title, nodes) {
  const items = el("div", "menu", nodes);
  items.popover = "auto";
  const opens = signButton("button more", "⋯", title, (event) => event.stopPropagation());
  opens.popoverTargetElement = items;
  items.addEventListener("beforetoggle", () => {
    const { bottom, right } = opens.getBoundingClientRect();
    const top = Math.min(bottom + 4, innerHeight - 50 * nodes.length);
    Object.assign(items.style, { top: `${top}px`, right: `${innerWidth - right}px` });
  });
  items.addEventListener("click", (event) => {
    event.stopPropagation(); // a row below it stays as it is
    items.hidePopover();
  });
  return el("span", "", opens, items);
}

/** Where the page has one column, as in the style. */
export const narrow = matchMedia("(max-width: 860px)");

/** An element of the page's template. @param {string} id @returns {any} */
export function $(id) {
  return document.getElementById(id);
}

/** An element of a picture. @param {Record<string, any>} attributes @returns {any} */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Writes a text where it differs: it may be called for every picture. @param {Node} node */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The first of some boxes that lies over no taken one, and not over the edge of a frame.
 * @template {Box} B @param {B[]} boxes @param {Box} frame @param {Box[]} taken */
export function firstFree(boxes, frame, taken) {
  const overlap = (/** @type {Box} */ a, /** @type {Box} */ b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const leaves = ({ left, top, right, bottom }) => left < frame.left || right > frame.right
    || top < frame.top || bottom > frame.bottom;
  return boxes.find((box) => !(overlap(box, frame) && leaves(box))
    && !taken.some((other) => overlap(box, other)));
}

/** Shows these nodes in this order. What already stands right is not touched. */
export function place(body, nodes) {
  if (nodes.length !== body.children.length || nodes.some((node, i) => body.children[i] !== node)) {
    body.replaceChildren(...nodes);
  }
}

/** A button; `key` is shown on it, and bound elsewhere. @param {string | Record<string, any>} is
 * @param {string} text @param {(event: MouseEvent) => unknown} press @param {string} [key] */
export function button(is, text, press, key) {
  const node = el("button", is, text, key && el("kbd", "", key.toUpperCase()));
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

/** A selection of one; its options are {value, text}. */
export function select(is, options = []) {
  return el("select", is, ...options.map(({ value, text }) => new Option(text, value)));
}

export function link(className, href, ...children) {
  return el("a", { className, href }, ...children);
}

export function zonePath(zoneId) {
  return `/zones/${encodeURIComponent(zoneId)}`;
}

export function zoneLink(zoneId, text) {
  return link("zone-link", zonePath(zoneId), text);
}

// A state's mark: its colour and, for eyes that cannot tell colours, a shape and a sign.
const SIGNS = {
  overdue: "!", short: "↓", due: "◔", unmeasurable: "?", compliant: "✓", off_duty: "–", paused: "Ⅱ",
};

export function badge(state) {
  return el("span", `badge badge-${state in SIGNS ? state : "off_duty"}`, SIGNS[state] ?? "·");
}
