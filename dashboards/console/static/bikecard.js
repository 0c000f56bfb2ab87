// What is known of one bike, pinned to the map until it is closed.
import { isLow, pageOf, percentText, zoneText } from "./bikefacts.js";
import { ageOf, say, speedOf } from "./bikemark.js";
import { words } from "./frame.js";
import { button, el } from "./page.js";

const TODAY_S = 12 * 3600; // an older time needs its day
const ROWS = ["state", "fix", "speed", "heading", "battery", "zone"];

export class BikeCard {
  // `find` gives what is known of a bike by its key; `onTrack` is told whose track to show.
  constructor(node, { find, onTrack, onClose }) {
    Object.assign(this, { node, find, onTrack, onClose, key: null, track: false });
    this.title = el("b");
    this.link = el("a", "button", words.say("card.page"));
    this.button = button("button", words.say("card.track"), () => this.showTrack(!this.track));
    this.texts = Object.fromEntries(ROWS.map((name) => [name, new Text()]));
    this.rows = Object.fromEntries(ROWS.map((name) => [name, el("div", "card-row", el("span", "dim", words.say(`card.${name}`)), el("span", "", this.texts[name]))]));
    const close = button("plain", "×", () => this.close());
    close.title = close.ariaLabel = words.say("dialog.done");
    node.append(el("div", "card-head", this.title, close), ...Object.values(this.rows), el("div", "buttons", this.button, this.link));
    node.hidden = true;
  }

  open(key) {
    const [vendor, bikeId] = key.split("/");
    if (this.track) this.showTrack(false);
    this.key = key;
    this.title.textContent = bikeId;
    this.title.title = vendor;
    this.link.href = pageOf({ vendor, bike_id: bikeId });
    this.node.hidden = false;
    this.refresh();
  }

  close() {
    if (this.track) this.showTrack(false);
    this.key = null;
    this.node.hidden = true;
    this.onClose();
  }

  showTrack(on) {
    this.track = on;
    this.button.setAttribute("aria-pressed", on);
    this.onTrack(on ? this.key : null);
  }

  // Changes texts and makes nothing, so that it may be called for every picture.
  refresh() {
    if (!this.key) return;
    const bike = this.find(this.key);
    const facts = bike ? factsOf(bike) : { state: words.say("card.not_there") };
    for (const name of ROWS) {
      this.rows[name].hidden = !facts[name];
      say(this.texts[name], facts[name] ?? "");
    }
    this.rows.battery.classList.toggle("bad", Boolean(bike && isLow(bike)));
    this.rows.state.classList.toggle("bad", bike?.liveness !== "live");
  }
}

function factsOf(bike) {
  const charge = bike.battery_percent == null ? "" : percentText(bike.battery_percent);
  const age_s = ageOf(bike);
  return {
    // Of the past it is known where a bike was, not whether it was connected.
    state: bike.age_s == null ? words.say(`live.${bike.liveness}`) : "",
    fix: words.say("card.fix_at", { age: words.duration(age_s), time: words.exact(bike.at, { day: age_s > TODAY_S }) }),
    speed: speedOf(bike),
    heading: bike.heading_deg == null ? "" : compass(bike.heading_deg),
    battery: isLow(bike) ? words.say("bike.battery_low", { percent: charge }) : charge,
    zone: bike.age_s == null ? zoneText(bike) : "",
  };
}

function compass(heading_deg) {
  const names = words.say("compass").split(" ");
  return `${names[Math.round(heading_deg / 45) % 8]} ${Math.round(heading_deg)}°`;
}
