// Work for the newest that is wanted: one at a time, and no more often than every so many
// milliseconds. Between two works there is a rest as long as a work, so that a slow server is
// asked less; what was wanted in between and is no more is never asked for.
export class Newest {
  constructor(work, every_ms) {
    Object.assign(this, { work, every_ms, waits: false, busy: false });
  }

  want(what) {
    this.wanted = what;
    this.waits = true;
    if (!this.busy) this.go();
  }

  // What is under way goes on; what waits is forgotten.
  forget() {
    this.waits = false;
  }

  async go() {
    this.busy = true;
    while (this.waits) {
      this.waits = false;
      const began = performance.now();
      await this.work(this.wanted);
      const took_ms = performance.now() - began;
      await new Promise((rested) => setTimeout(rested, Math.max(this.every_ms - took_ms, took_ms)));
    }
    this.busy = false;
  }
}
