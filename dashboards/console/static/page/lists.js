// @ts-check
// Lists: one of very many rows, and one whose rows are selected and open pages of their own.
import { el } from "./dom.js";
import { keys } from "./frame.js";
import { later } from "./live.js";

const SPARE = 6;

/** Calls `move` with how far somebody goes by keys in a list. */
export function bindSteps(move) {
  for (const [key, by] of Object.entries({ j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 })) {
    keys.bind(key, by > 0 ? "keys.next" : "keys.previous", () => move(by));
  }
}

/** The id `by` places after the one selected; from none, the first or the last. */
export function stepFrom(ids, selected, by) {
  const at = ids.indexOf(selected);
  if (at < 0) return ids.at(by > 0 ? 0 : -1);
  return ids[Math.min(Math.max(at + by, 0), ids.length - 1)];
}

/** A list of very many rows of one height, as the style's --row says: only those in sight are
 * nodes, and nodes are used again. */
export class LongList {
  /** @type {string[]} */ keys = [];
  /** @type {Map<string, HTMLElement>} */ nodes = new Map();
  /** @type {WeakMap<Element, string>} */ of = new WeakMap();
  row_px = 1;
  sheet = el("div", "sheet");

  constructor(/** @type {HTMLElement} */ body, /** @type {LongRows} */ { make, fill }) {
    this.body = body;
    this.make = make;
    this.fill = fill;
    body.replaceChildren(this.sheet);
    body.addEventListener("scroll", () => this.drawLater(), { passive: true });
    new ResizeObserver(() => this.show(this.keys)).observe(body);
  }

  show(keys) {
    this.keys = keys;
    this.row_px = parseFloat(getComputedStyle(this.body).getPropertyValue("--row"));
    this.sheet.style.height = `${keys.length * this.row_px}px`;
    this.draw();
  }

  drawLater() {
    later(this, () => this.draw());
  }

  draw() {
    const { scrollTop, clientHeight } = this.body;
    const first = Math.max(0, Math.floor(scrollTop / this.row_px) - SPARE);
    const last = Math.ceil((scrollTop + clientHeight) / this.row_px) + SPARE;
    const inSight = this.keys.slice(first, last), wanted = new Set(inSight);
    /** @type {HTMLElement[]} */ const free = [];
    for (const [key, node] of this.nodes) {
      if (wanted.has(key)) continue;
      free.push(node);
      this.nodes.delete(key);
    }
    inSight.forEach((key, i) => {
      let node = this.nodes.get(key);
      if (!node) {
        node = free.pop() ?? this.make();
        this.nodes.set(key, node);
        this.of.set(node, key);
        if (!node.isConnected) this.sheet.append(node);
      }
      const top = `${(first + i) * this.row_px}px`;
      if (node.style.top !== top) node.style.top = top;
      node.ariaRowIndex = String(first + i + 2); // the head is the first
      this.fill(node, key);
    });
    for (const node of free) node.remove();
  }

  keyAt(target) {
    return this.of.get(target.closest("[role=row]"));
  }

  reveal(key) {
    const at = this.keys.indexOf(key), top = at * this.row_px;
    if (at < 0) return;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    const bottom = top + this.row_px - this.body.clientHeight;
    if (bottom > this.body.scrollTop) this.body.scrollTop = bottom;
    this.draw();
  }
}

/** Rows of which one is selected, by the pointer or by keys, and opens a page of its own. */
export class RowList {
  /** @type {Map<string, any>} by id, in the order shown; each has its `node` */ rows = new Map();
  /** @type {any} id of a row */ selected = null;
  /** @type {{before: string[], after: string[]} | null} */ left = null;

  /** @param {HTMLElement} body @param {PickedRows} how */
  constructor(body, how) {
    this.body = body;
    this.how = how;
    body.tabIndex = 0;
    bindSteps((by) => this.move(by));
    keys.bind("Enter", "keys.open", () => this.selected && this.go(this.selected));
  }

  /** A new row; whoever makes it puts it into `rows`. @returns {any} */
  row(id, className) {
    const node = el("div", { className, role: this.how.role });
    node.addEventListener("click", () => (this.how.opens?.() ? this.go(id) : this.select(id)));
    node.addEventListener("dblclick", () => this.go(id));
    return { node };
  }

  go(id) {
    location.assign(this.how.path(id));
  }

  select(id) {
    this.selected = id;
    this.left = null;
    for (const [each, { node }] of this.rows) node.setAttribute("aria-selected", each === id);
    const row = this.rows.get(id);
    row?.node.scrollIntoView({ block: "nearest" });
    if (row) this.how.onPick(row);
  }

  /** The selected row is about to go elsewhere by what was done to it: go on from where it was. */
  leaves(order) {
    if (this.left) return;
    const at = order.indexOf(this.selected);
    this.left = { before: order.slice(0, at).reverse(), after: order.slice(at + 1) };
  }

  move(by) {
    const ids = [...this.rows.keys()];
    if (!ids.length) return;
    const beside = this.left?.[by > 0 ? "after" : "before"].find((id) => this.rows.has(id));
    this.select(beside ?? stepFrom(ids, this.selected, by));
  }
}
