// @ts-check
// An alert as a whole: its facts, what may be done, the map with the evidence, and its history.
import { bikeOf, bikeRoute } from "../bikes/facts.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf, goTo, styleOf, wayOf } from "../map/base.js";
import { trackOf } from "../map/bikes.js";
import { ageItems, CellImage, missingItem } from "../map/zones.js";
import { el, fill, link, narrow, nothing } from "../page/dom.js";
import { live, read, words } from "../page/frame.js";
import { actButtons, evidenceText, factsOf, severityMark, subjectLink, whyOf } from "./list.js";

const BEFORE_MS = 30 * 60_000, AFTER_MS = 5 * 60_000; // what makes a patrol, and a little more

export class AlertDetail {
  /** @type {AlertRecord | null} */ alert = null;
  /** @type {EvidenceMap | null} */ evidence = null;

  constructor(/** @type {HTMLElement} */ body) {
    this.body = body;
    body.replaceChildren(nothing(words.say("alerts.pick")));
    live.on("alert", ({ alert_id }) => this.alert?.alert_id === alert_id && this.show(alert_id));
    live.on("coverage", ({ zone_id }) => {
      if (this.alert && this.alert.zone_id === zone_id && !this.named) this.render(this.alert);
    });
  }

  async show(alertId) {
    this.wanted = alertId;
    try {
      const record = await read(`/alerts/${encodeURIComponent(alertId)}`);
      if (this.wanted !== alertId) return; // another was picked meanwhile
      this.alert = record;
      this.render(record);
    } catch (error) {
      const way = link("", "/alerts", words.say("page.alerts"));
      this.body.replaceChildren(nothing(words.say("alerts.unread"), error.message, way));
    }
  }

  render(/** @type {AlertRecord} */ alert) {
    this.named = alert.zone_id === null || words.zones.has(alert.zone_id);
    const since = words.say("alerts.since", { time: words.time(alert.opened) });
    const located = alert.zone_id || alert.bike;
    if (located) (this.evidence ??= new EvidenceMap()).show(alert);
    fill(this.body, el("div", "detail-head",
      el("h1", "", words.say(`rule.${alert.rule}`), " · ", subjectLink(alert)),
      el("p", "facts", severityMark(alert), " ", [...factsOf(alert), since].join(" · ")),
      el("p", "", whyOf(alert))),
    el("div", "buttons", actButtons(alert, { all: !narrow.matches }),
      located && link("button", replayPath(alert), words.say("alerts.replay"))),
    located && this.evidence?.node, el("h2", "", words.say("alerts.history")),
    el("ol", "history", alert.history.map(rowOf)));
  }
}

/** The visit that ended the condition: which bike, when. @param {AlertRecord} alert */
function visitOf(alert) {
  return alert.history.map(({ evidence }) => evidence).findLast(({ bike, at_ms }) =>
    typeof bike === "string" && typeof at_ms === "number") ?? null;
}

/** What led to it, or to its end: a span of time. @param {AlertRecord} alert */
function spanOf(alert) {
  const at_ms = visitOf(alert)?.at_ms ?? Date.parse(alert.opened);
  return { from: String(at_ms - BEFORE_MS), to: String(at_ms + AFTER_MS) };
}

/** The map at that time, at its place. @param {AlertRecord} alert */
function replayPath(alert) {
  const { zone_id, bike } = alert, of = zone_id ? ["zone", zone_id] : ["bike", bike ?? ""];
  return `/?${new URLSearchParams([...Object.entries(spanOf(alert)), of])}`;
}

function rowOf(/** @type {AlertRow} */ { actor, assigned_to, until, reason, evidence, at, event }) {
  const lines = [
    assigned_to && words.say("alerts.assigned_to", { who: assigned_to }),
    until && words.say("alerts.shelved_until", { time: words.time(until) }),
    words.reason(reason), evidenceText(evidence),
  ].filter(Boolean).map((line) => el("p", "", String(line)));
  return el("li", { data: { event } }, el("time", "", words.time(at)),
    el("b", "", words.say(`event.${event}`)), el("span", "who", words.actor(actor)), lines);
}

/** Where a bike is now. @returns {Promise<LatLng | null>} */
async function placeOf(key) {
  const bike = key && await read(bikeRoute(bikeOf(key))).catch(() => null);
  return bike?.lat == null ? null : [bike.lat, bike.lng];
}

/** A zone with its cells as they were, or a bike; and the track that led there. */
class EvidenceMap {
  drawn = L.featureGroup();
  frame = el("div", "proof-map");
  key = el("p", "key");
  node = el("div", "proof", this.frame, this.key);
  map = baseMap(this.frame);
  cells = new CellImage(this.map);
  shown = "";

  constructor() {
    addEventListener("themechange", () => this.alert && this.show(this.alert, { again: true }));
  }

  async show(/** @type {AlertRecord} */ alert, { again = false } = {}) {
    const { zone_id: zoneId, bike, closed } = this.alert = alert, visit = visitOf(alert);
    const key = JSON.stringify([alert.alert_id, alert.state, visit]);
    if (key === this.shown && !again) return;
    this.shown = key;
    const outdated = () => key !== this.shown;
    const at_ms = visit?.at_ms ?? (closed && Date.parse(closed));
    /** @type {Record<string, string>} */ const at = at_ms ? { at: String(at_ms) } : {};
    const of = visit?.bike ?? bike;
    const [zones, track, place] = await Promise.all([
      read(`/zones?${new URLSearchParams(at)}`).catch(() => null),
      of && trackOf(of, spanOf(alert)).catch(() => null), placeOf(of)]);
    if (outdated()) return;
    this.drawn.remove();
    this.drawn = L.featureGroup().addTo(this.map);
    const shapes = zones?.features.filter(({ id }) => !zoneId || id === zoneId) ?? [];
    const style = (zone) => ({ ...styleOf(zone.properties.state), fill: false });
    L.geoJSON(/** @type {any} */ (shapes), { interactive: false, style }).addTo(this.drawn);
    const way = this.drawTrack(track, place, visit);
    fill(this.key, way.length > 0 && el("span", "item", el("i", "swatch end"), visit
      ? words.say("alerts.proof", { bike: of, time: words.time(visit.at_ms) }) : of));
    goTo(this.map, zoneId || !way.length ? this.drawn.getBounds() : L.latLngBounds(way));
    if (zones && zoneId) this.showCells(zones.grid, alert, at, outdated);
  }

  showCells(grid, { zone_id, window_from }, at, outdated) {
    const since = window_from && { missing_since: window_from };
    this.cells.place(grid);
    this.cells.load(new URLSearchParams({ zone_id, ...at, ...since }), "no-cache", outdated);
    const time = at.at ? words.time(Number(at.at)) : words.say("replay.now");
    this.key.append(el("b", "", words.say("alerts.cells", { time })),
      ...[since ? missingItem() : ageItems()].flat());
  }

  /** @param {any} track of trackOf @param {LatLng | null} place where there is no track
   * @param {any} visit @returns {LatLng[]} */
  drawTrack(track, place, visit) {
    const until = visit?.at_ms ?? Infinity;
    const line = (track?.lat ?? []).map((lat, i) => [lat, track.lng[i]])
      .filter((_, i) => track.timestamps[i] <= until);
    wayOf(line, "accent", 4).addTo(this.drawn);
    const end = line.at(-1) ?? place;
    if (!end) return line;
    L.circleMarker(end, { radius: 7, color: colorOf("halo"), weight: 2,
      fillColor: colorOf("hot"), fillOpacity: 1 }).addTo(this.drawn);
    return [...line, end];
  }
}
