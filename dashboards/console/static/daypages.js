// What bikes did today: the pages of GET /bikes/days that are looked at, read again every half minute.
import { read } from "./frame.js";
import { keyOf } from "./bikefacts.js";

const EVERY_MS = 30_000, PAGE = 100;

export class DayPages {
  // `onChange` is called after each page, with whether it could be read.
  constructor(onChange) {
    Object.assign(this, { onChange, days: new Map(), begun: new Map(), wanted: [], busy: false });
    setInterval(() => this.work(), 1000);
  }

  get(key) {
    return this.days.get(key);
  }

  // `keys` are those in sight, `all` those of the fleet as the API sorts them: all who look at a
  // fleet ask for the same pages, and the server works each out once.
  want(all, keys) {
    const at = new Map(all.map((key, i) => [key, Math.floor(i / PAGE)]));
    const pages = new Set(keys.map((key) => at.get(key)));
    this.wanted = [...pages].sort((a, b) => a - b).map((page) => (page ? all[page * PAGE - 1] : ""));
    this.work();
  }

  async work() {
    if (this.busy || document.hidden) return;
    this.busy = true;
    for (const cursor of this.wanted) {
      if (performance.now() - (this.begun.get(cursor) ?? -EVERY_MS) < EVERY_MS) continue;
      this.begun.set(cursor, performance.now());
      await this.load(cursor);
    }
    this.busy = false;
  }

  async load(cursor) {
    const asked = new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
    try {
      const { days } = await read(`/bikes/days?${asked}`);
      for (const day of days) this.days.set(keyOf(day), day);
      this.onChange(true);
    } catch {
      this.onChange(false);
    }
  }
}
