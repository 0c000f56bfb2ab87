// @ts-check
// The event stream: the newest of everything, again after each reconnect, and whether it flows.
//
// A browser opens six connections to a server and lets all others wait, those for pages too. So a
// page that nobody sees keeps none: it looks now and then, for what its title says, and closes the
// stream once that has told all there is.
const SILENT_MS = 5000; // the stream says something every second
const STUCK_MS = 15000;
const RETRY_MS = 2000;
const UNSEEN_MS = 10_000, LOOK_EVERY_MS = 30_000;
const OWN = new Set(["state", "open"]); // events of this class, and not of the stream

export class Live {
  /** @type {EventSource | null} */ stream = null;
  /** @type {Map<string, Set<(data: any) => unknown>>} */ handlers = new Map();
  /** @type {(Health & {heard: number}) | null} */ said = null;
  followed = new Set();
  asked = "bikes=alerted";
  last = "";
  state = "connecting";
  rests = false;
  complete = false;
  heard = performance.now();
  unseen = document.hidden ? -UNSEEN_MS : null;

  /** @param {{speed: number, onRefused: () => unknown}} options speed of the system's clock */
  constructor({ speed, onRefused }) {
    this.speed = speed;
    this.onRefused = onRefused;
    // Before anybody else's, so that whoever hears of health can ask what time it is.
    this.on("health", (health) => (this.said = { ...health, heard: performance.now() }));
  }

  /** Calls `handle` with the data of each event of a name; "state" and "open" are its own.
   * @param {string} name @param {(data: any) => unknown} handle */
  on(name, handle) {
    this.handlers.set(name, (this.handlers.get(name) ?? new Set()).add(handle));
    if (this.stream) this.follow(name);
    return this;
  }

  emit(name, data = null) {
    for (const handle of this.handlers.get(name) ?? []) handle(data);
  }

  /** The system's clock [ms]: what the last health event said, and how long ago that was. It stands
   * still when nothing is heard, because then nobody knows. */
  now() {
    if (!this.said) return Date.now();
    const since_ms = Math.min(performance.now() - this.said.heard, SILENT_MS);
    return this.said.now_ms + since_ms * this.speed;
  }

  /** What the page looks at, as parameters of GET /stream: bikes of these, beside those with an
   * alert. What else the page knows it is not told again. @param {Record<string, string>} asked */
  see(asked) {
    const text = String(new URLSearchParams(asked));
    if (text === this.asked) return;
    this.asked = text;
    if (this.stream && !this.rests) this.connect({ goesOn: true });
  }

  start() {
    setInterval(() => this.watch(), 500);
    document.addEventListener("visibilitychange", () => {
      this.unseen = document.hidden ? performance.now() : null;
      if (!document.hidden && this.rests) this.connect();
    });
    this.connect();
  }

  connect({ goesOn = false } = {}) {
    this.stream?.close();
    this.rests = this.complete = false;
    this.heard = performance.now();
    const last = goesOn && this.last ? `&last_event=${this.last}` : "";
    const stream = (this.stream = new EventSource(`/api/v1/stream?${this.asked}${last}`));
    stream.onopen = () => (this.heard = performance.now());
    // Everything that is comes now; without this, what has changed since the connection was lost.
    stream.addEventListener("whole", () => this.emit("open"));
    stream.onerror = () => {
      this.tell("lost");
      this.onRefused();
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), RETRY_MS);
    };
    this.followed.clear();
    for (const name of this.handlers.keys()) this.follow(name);
  }

  follow(name) {
    if (OWN.has(name) || this.followed.has(name)) return;
    this.followed.add(name);
    this.stream?.addEventListener(name, (event) => {
      this.heard = performance.now();
      this.last = event.lastEventId;
      this.tell("live");
      this.emit(name, JSON.parse(event.data));
      if (name === "health") this.complete = true; // the last of what the stream begins with
    });
  }

  watch() {
    const now = performance.now(), silent = now - this.heard;
    if (this.rests) return silent > LOOK_EVERY_MS && this.connect();
    if (this.complete && this.unseen != null && now - this.unseen >= UNSEEN_MS) {
      this.rests = true;
      return this.stream?.close();
    }
    if (silent > SILENT_MS) this.tell("lost");
    if (silent > STUCK_MS && !document.hidden) this.connect();
  }

  tell(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }
}

// Many events come at once: gather their work and do it once, before the next picture. A hidden
// page draws no pictures, and must not gather work for ever.
const planned = new Map();
export function later(key, work) {
  if (!planned.size) soon();
  planned.set(key, work);
}

function soon() {
  const work = () => {
    const works = [...planned.values()];
    planned.clear();
    for (const each of works) each();
  };
  if (document.hidden) setTimeout(work, 1000);
  else requestAnimationFrame(work);
}

// A page that is hidden meanwhile gets no next picture.
document.addEventListener("visibilitychange", () => document.hidden && planned.size && soon());

/** Work for the newest that is wanted: one at a time, and no more often than every so many
 * milliseconds. Between two works there is a rest as long as a work, so that a slow server is asked
 * less; an instant wanted only in between is never asked for. */
export class Newest {
  waits = false;
  busy = false;

  constructor(/** @type {(what: any) => Promise<unknown>} */ work, /** @type {number} */ every_ms) {
    this.work = work;
    this.every_ms = every_ms;
  }

  want(what = /** @type {any} */ (undefined)) {
    this.wanted = what;
    this.waits = true;
    if (!this.busy) this.go();
  }

  async go() {
    this.busy = true;
    while (this.waits) {
      this.waits = false;
      const began = performance.now();
      await this.work(this.wanted);
      const took_ms = performance.now() - began;
      const rest_ms = Math.max(this.every_ms - took_ms, took_ms);
      await new Promise((rested) => setTimeout(rested, rest_ms));
    }
    this.busy = false;
  }
}
