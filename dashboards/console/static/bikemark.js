// How a bike looks and what stands beside it. Its shape says what it does, so that no eye needs
// the colour:
//   live     a solid arrow, or a disc while it says no heading
//   stale    a hollow arrow or disc with broken outline, and how old the fix is
//   silent   a ring with a question mark, and how old the fix is
//   offline  a ring with a cross, and how old the fix is
// and a battery with an exclamation mark whose charge is low.
import { isLow, percentText } from "./bikefacts.js";
import { words } from "./frame.js";
import { el, svg } from "./page.js";

const SHAPES = {
  arrow: "M12 2 L19.5 21 L12 16.5 L4.5 21 Z",
  disc: "M12 5 a7 7 0 1 0 .01 0 Z",
  silent: "M12 3 a9 9 0 1 0 .01 0 Z M9.4 9.6 a2.6 2.6 0 1 1 3.9 2.3 q-1.3 .8 -1.3 2.1 M12 16.9 v.3",
  offline: "M12 3 a9 9 0 1 0 .01 0 Z M8.8 8.8 L15.2 15.2 M15.2 8.8 L8.8 15.2",
};

function shapeOf(bike) {
  if (bike.liveness in SHAPES) return bike.liveness;
  return bike.heading_deg == null ? "disc" : "arrow";
}

export function pictureOf(bike) {
  return svg("0 0 24 24", SHAPES[shapeOf(bike)], "bike-arrow");
}

// Age of the fix [s]. A bike of the past brings its own.
export function ageOf(bike) {
  return bike.age_s ?? Math.max(0, (words.now() - Date.parse(bike.at)) / 1000);
}

export function speedOf(bike) {
  return bike.speed_mps == null ? "" : words.say("bike.speed", { speed: (bike.speed_mps * 3.6).toFixed(0) });
}

// A piece of the page that is made once per bike; `show` changes it and makes nothing new.
export class BikeMark {
  constructor(key, bike) {
    this.picture = pictureOf(bike);
    this.path = this.picture.firstChild;
    this.facts = new Text();
    this.age = new Text();
    this.node = el("div", "bike-mark", this.picture, el("i", "bike-low"),
      el("span", "bike-label", el("b", "", bike.bike_id), el("span", "bike-facts", this.facts), el("span", "bike-age", this.age)));
    this.key = key;
  }

  // `place` is the element that the map moves about.
  show(bike, place) {
    this.bike = bike;
    const shape = shapeOf(bike);
    if (this.shape !== shape) this.path.setAttribute("d", SHAPES[(this.shape = shape)]);
    const turn = shape === "arrow" ? `rotate(${Math.round(bike.heading_deg)}deg)` : "none";
    if (this.turn !== turn) this.picture.style.transform = this.turn = turn;
    const { dataset, classList } = place;
    if (dataset.bike !== this.key) dataset.bike = this.key;
    if (dataset.liveness !== bike.liveness) {
      dataset.liveness = bike.liveness;
      classList.toggle("stale", bike.liveness !== "live");
    }
    classList.toggle("low", isLow(bike));
    say(this.facts, [speedOf(bike), bike.battery_percent != null && percentText(bike.battery_percent)].filter(Boolean).join(" · "));
    this.tick();
  }

  // Time goes by.
  tick() {
    say(this.age, words.duration(ageOf(this.bike)));
  }
}

export function say(text, what) {
  if (text.data !== what) text.data = what;
}
