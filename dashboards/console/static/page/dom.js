// @ts-check
// Small pieces of the page. Every text becomes a text node: nothing from outside is ever HTML.

/** An element with a class and children. @template {keyof HTMLElementTagNameMap} K @param {K} tag
 * @param {string} className @param {...(Node | string)} children */
export function el(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** An element of the page's template. @param {string} id @returns {any} */
export function $(id) {
  return document.getElementById(id);
}

/** A picture of one path. */
export function svg(viewBox, d, className) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", viewBox);
  node.setAttribute("class", className);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  node.append(path);
  return node;
}

/** Shows these nodes in this order. What already stands right is not touched. */
export function place(body, nodes) {
  if (nodes.length !== body.children.length || nodes.some((node, i) => body.children[i] !== node)) {
    body.replaceChildren(...nodes);
  }
}

/** A button; `key` is shown on it, and bound elsewhere. @param {string} className
 * @param {string} text @param {(event: MouseEvent) => unknown} press @param {string} [key] */
export function button(className, text, press, key) {
  const node = el("button", className, text, ...(key ? [el("kbd", "", key.toUpperCase())] : []));
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

/** A selection of one; its options are {value, text}. */
export function select(className, options = []) {
  const node = el("select", className);
  node.append(...options.map(({ value, text }) => new Option(text, value)));
  return node;
}

export function link(className, href, ...children) {
  return Object.assign(el("a", className, ...children), { href });
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
