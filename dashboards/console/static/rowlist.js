// Rows of which one is selected, by the pointer or by keys, and opens a page of its own.
import { keys } from "./frame.js";
import { el } from "./page.js";

export class RowList {
  // `path` makes the address of a row's page of its id; `onPick` is called with the row selected.
  // A press on a row opens its page at once where `opens` says so.
  constructor(body, { role, path, onPick, opens = () => false }) {
    Object.assign(this, { body, role, path, onPick, opens, rows: new Map(), selected: null });
    body.tabIndex = 0;
    for (const [key, by] of [["j", 1], ["k", -1], ["ArrowDown", 1], ["ArrowUp", -1]]) {
      keys.bind(key, by > 0 ? "keys.next" : "keys.previous", () => this.move(by));
    }
    keys.bind("Enter", "keys.open", () => this.selected && this.go(this.selected));
  }

  // A new row; whoever makes it puts it into `rows`, in the order shown.
  row(id, className) {
    const node = el("div", className);
    node.setAttribute("role", this.role);
    node.addEventListener("click", () => (this.opens() ? this.go(id) : this.select(id)));
    node.addEventListener("dblclick", () => this.go(id));
    return { node };
  }

  go(id) {
    location.assign(this.path(id));
  }

  select(id) {
    this.selected = id;
    this.left = null;
    for (const [each, { node }] of this.rows) node.setAttribute("aria-selected", each === id);
    const row = this.rows.get(id);
    row?.node.scrollIntoView({ block: "nearest" });
    if (row) this.onPick(row);
  }

  // The selected row is about to go elsewhere by what was done to it: one goes on from where it was.
  leaves(order) {
    if (this.left) return;
    const at = order.indexOf(this.selected);
    this.left = { before: order.slice(0, at).reverse(), after: order.slice(at + 1) };
  }

  move(by) {
    const ids = [...this.rows.keys()];
    if (!ids.length) return;
    const beside = this.left?.[by > 0 ? "after" : "before"].find((id) => this.rows.has(id));
    if (beside) return this.select(beside);
    const at = ids.indexOf(this.selected);
    this.select(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.min(Math.max(at + by, 0), ids.length - 1)]);
  }
}
