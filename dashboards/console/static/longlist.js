// A list of very many rows of one height: only those in sight are nodes, and nodes are used again.
import { later } from "./live.js";
import { el } from "./page.js";

const SPARE = 6;

export class LongList {
  // `make` gives a row without contents, `fill` puts those of a key into it; each row is as high
  // as the style's --row says.
  constructor(body, { make, fill }) {
    Object.assign(this, { body, make, fill, keys: [], nodes: new Map(), of: new WeakMap() });
    this.sheet = el("div", "sheet");
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
    const inSight = this.keys.slice(first, Math.ceil((scrollTop + clientHeight) / this.row_px) + SPARE);
    const wanted = new Set(inSight), free = [];
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
      node.ariaRowIndex = first + i + 2; // the head is the first
      this.fill(node, key);
    });
    for (const node of free) node.remove();
  }

  // The keys that have a node now.
  inSight() {
    return [...this.nodes.keys()];
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
