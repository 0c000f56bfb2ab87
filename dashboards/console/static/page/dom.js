// @ts-check
// Small pieces of the page. Every text becomes a text node: nothing from outside is ever HTML.

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

