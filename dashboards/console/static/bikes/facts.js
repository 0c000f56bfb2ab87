// @ts-check
// How a bike's figures are shown, in the list of the fleet and on a bike's own page.
import { badge, el } from "../page/dom.js";
import { config, words } from "../page/frame.js";

export const LIVENESS = ["offline", "silent", "stale", "live"]; // who needs somebody first

// A bike that is heard looks like a zone that is well, one that is not like one nobody can judge.
const LIKE = { live: "compliant", stale: "due", silent: "unmeasurable", offline: "off_duty" };

export function liveBadge(liveness) {
  return badge(LIKE[liveness] ?? liveness);
}

export function keyOf(/** @type {BikeName} */ bike) {
  return `${bike.vendor}/${bike.bike_id}`;
}

export function pageOf(/** @type {BikeName} */ bike) {
  return `/bikes/${encodeURIComponent(bike.vendor)}/${encodeURIComponent(bike.bike_id)}`;
}

/** A route of the API about a bike. @param {BikeName} bike @param {Record<string, any>} asked */
export function bikeRoute({ vendor, bike_id }, what = "", asked = {}) {
  const query = new URLSearchParams({ vendor, ...asked });
  return `/bikes/${encodeURIComponent(bike_id)}${what}?${query}`;
}

/** A bike's name, which leads to its page. @param {BikeName} bike */
export function bikeLink(bike) {
  return el("a", { className: "bike-link", href: pageOf(bike), title: keyOf(bike) }, bike.bike_id);
}

/** The same of a visit, which names a bike by its key. @param {Visit} visit */
export function visitorLink({ bike: key }) {
  return bikeLink(bikeOf(key));
}

/** The bike of a key; a vendor's name has no slash. @returns {BikeName} */
export function bikeOf(key) {
  const slash = key.indexOf("/");
  return { vendor: key.slice(0, slash), bike_id: key.slice(slash + 1) };
}

export function isLow(/** @type {Bike} */ bike) {
  return bike.battery_percent != null && bike.battery_percent <= config.battery_low_percent;
}

export function zoneText(/** @type {Bike} */ bike) {
  if (bike.lat == null) return "–";
  return bike.zone_id == null ? words.say("bikes.outside") : words.zone(bike.zone_id);
}

/** As it was said, however long ago. @param {Bike} bike */
export function speedOf(bike) {
  return bike.speed_mps == null ? ""
    : words.say("bike.speed", { speed: (bike.speed_mps * 3.6).toFixed(0) });
}

/** The speed of a bike that is not live was some time ago. @param {Bike} bike */
export function speedText(bike) {
  if (bike.liveness !== "live" || bike.speed_mps == null) return "–";
  const kmh = bike.speed_mps * 3.6;
  return kmh < 1 ? words.say("bikes.standing") : words.say("unit.kmh", { n: kmh.toFixed(0) });
}

export function ageText(/** @type {Bike} */ bike) {
  return bike.at ? words.say("bikes.ago", { age: words.since(bike.at) }) : words.say("bikes.never");
}

export function distanceText(metres) {
  if (metres == null) return "–";
  return metres < 1000 ? words.say("unit.m", { n: Math.round(metres) })
    : words.say("unit.km", { n: (metres / 1000).toFixed(metres < 100_000 ? 1 : 0) });
}

export function percentText(percent) {
  return percent == null ? "–" : `${Math.round(percent)}%`;
}

/** A battery is a bar with its number; one that is low is marked with a sign too. */
export class Battery {
  figure = el("span", "percent");
  fill = el("i", "fill");
  node = el("span", "battery", el("span", "bar", this.fill), this.figure);

  show(bike) {
    const low = isLow(bike);
    const text = (low ? "! " : "") + percentText(bike.battery_percent);
    if (this.figure.textContent === text) return;
    this.figure.textContent = text;
    this.fill.style.width = `${Math.min(100, Math.max(0, bike.battery_percent ?? 0))}%`;
    this.node.classList.toggle("low", low);
    this.node.title = low ? words.say("bikes.low") : "";
  }
}

// How a verdict looks: a colour, and a sign for eyes that cannot tell colours.

const LOOKS = {
  ok: ["accent", "✓"], parked: ["off_duty", "P"], inaccurate: ["due", "≈"],
  teleport: ["overdue", "↯"], too_fast: ["unmeasurable", "»"], outside_district: ["hot", "⊘"],
  off_shift: ["dim", "–"], duplicate: ["dim", "="],
};

// The variable of the style that holds its colour.
export function colorNameOf(verdict) {
  return (LOOKS[verdict] ?? ["dim"])[0];
}

export function verdictMark(verdict) {
  const style = { background: `var(--${colorNameOf(verdict)})` };
  return el("span", { className: "verdict-mark", style }, (LOOKS[verdict] ?? ["", "·"])[1]);
}
