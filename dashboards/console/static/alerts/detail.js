// @ts-check
// An alert as a whole: its facts, what may be done, the map with the evidence, and its history.
import { bikeOf, bikeRoute } from "../bikes/facts.js";
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf, styleOf } from "../map/base.js";
import { button, el, fill, zoneLink } from "../page/dom.js";
import { live, read, words } from "../page/frame.js";
import { act, ACTS, factsOf, possible } from "./list.js";

const BEFORE_MS = 30 * 60_000, AFTER_MS = 2 * 60_000; // what makes a patrol, and a little more

export class AlertDetail {
  /** @type {AlertRecord | null} */ alert = null;
  /** @type {ProofMap | null} */ proof = null;
  map = el("div", "proof-map");

  constructor(/** @type {HTMLElement} */ body) {
    this.body = body;
    body.replaceChildren(el("div", "empty", words.say("alerts.pick")));
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
      this.body.replaceChildren(el("div", "empty", error.message));
    }
  }

  render(/** @type {AlertRecord} */ alert) {
    const { zone_id: zoneId, severity } = alert, name = words.subject(alert);
    this.named = zoneId === null || words.zones.has(zoneId);
    const buttons = possible(alert).map((each, i) => button(i ? "button" : "button main",
      words.say(`act.${each}`), () => act(alert, each), ACTS[each].key));
    const since = words.say("alerts.since", { time: words.time(alert.opened) });
    const evidence = proof(alert), located = Boolean(evidence || zoneId);
    if (located) {
      this.proof ??= new ProofMap(this.map);
      this.proof.show(zoneId, evidence);
    }
    fill(this.body, el("div", "detail-head",
      el("h1", "", words.say(`rule.${alert.rule}`), " · ", zoneId ? zoneLink(zoneId, name) : name),
      el("p", "facts", el("b", `severity ${severity}`, words.say(`severity.${severity}`)), " ",
        [...factsOf(alert), since].join(" · "))),
    el("div", "buttons", buttons), located && this.map, el("h2", "", words.say("alerts.history")),
    el("ol", "history", alert.history.map(rowOf)));
  }
}

/** The visit that ended the condition: which bike, when. @param {AlertRecord} alert */
function proof(alert) {
  return alert.history.map(({ evidence }) => evidence).findLast(({ bike, at_ms }) =>
    typeof bike === "string" && typeof at_ms === "number") ?? null;
}

function rowOf(/** @type {AlertRow} */ { actor, assigned_to, until, reason, evidence, at, event }) {
  const who = actor === "system" ? words.say("alerts.system") : actor;
  const lines = [
    assigned_to && words.say("alerts.assigned_to", { who: assigned_to }),
    until && words.say("alerts.shelved_until", { time: words.time(until) }),
    reason && (words.knows(`reason.${reason}`) ? words.say(`reason.${reason}`) : reason),
    evidenceText(evidence),
  ].filter(Boolean).map((line) => el("p", "", String(line)));
  return el("li", { data: { event } }, el("time", "", words.time(at)),
    el("b", "", words.say(`event.${event}`)), el("span", "who", who), lines);
}

/** Facts that prove a row, each in words; a fact without words of its own is left to the API. */
function evidenceText(evidence) {
  const known = Object.entries(evidence).filter(([key]) => words.knows(`evidence.${key}`));
  return known.map(([key, value]) => {
    const text = key.endsWith("_s") ? words.duration(value)
      : key.endsWith("_ms") ? words.time(value)
      : /(ratio|share)$|^target$/.test(key) ? words.percent(value) : String(value);
    return words.say(`evidence.${key}`, { n: text });
  }).join(" · ");
}

/** Where an alert was, and the track of the bike whose visit ended it. */
class ProofMap {
  drawn = L.featureGroup();

  constructor(/** @type {HTMLElement} */ element) {
    this.map = baseMap(element);
  }

  async show(zoneId, evidence) {
    const key = JSON.stringify([zoneId, evidence]);
    if (key === this.shown) return;
    this.shown = key;
    this.drawn.remove();
    this.drawn = L.featureGroup().addTo(this.map);
    const [zones, track] = await Promise.all(
      [read("/zones").catch(() => null), evidence && this.track(evidence)]);
    if (key !== this.shown) return;
    const zone = zones?.features.find((feature) => feature.id === zoneId);
    const style = zone && styleOf(zone.properties.state);
    if (zone) L.geoJSON(zone, { interactive: false, style }).addTo(this.drawn);
    if (track?.length) this.drawTrack(track, evidence);
    this.map.invalidateSize();
    const bounds = this.drawn.getBounds();
    if (bounds.isValid()) this.map.fitBounds(bounds, { padding: [24, 24], animate: false });
  }

  drawTrack(track, { bike, at_ms }) {
    L.polyline(track, { color: colorOf("halo"), weight: 7 }).addTo(this.drawn);
    L.polyline(track, { color: colorOf("accent"), weight: 4 }).addTo(this.drawn);
    const text = words.say("alerts.proof", { bike, time: words.time(at_ms) });
    L.circleMarker(track.at(-1), { radius: 7, color: colorOf("halo"), weight: 2,
      fillColor: colorOf("hot"), fillOpacity: 1 })
      .bindTooltip(el("span", "", text), { permanent: true, direction: "top", offset: [0, -8] })
      .addTo(this.drawn);
  }

  /** The believed fixes up to a visit. @returns {Promise<LatLng[] | null>} */
  async track({ bike, at_ms }) {
    const span = { from: at_ms - BEFORE_MS, to: at_ms + AFTER_MS };
    const answer = await read(bikeRoute(bikeOf(bike), "/track", span)).catch(() => null);
    if (!answer) return null;
    const { timestamps, verdicts } = answer.properties;
    return answer.geometry.coordinates
      .filter((_, i) => timestamps[i] <= at_ms && verdicts[i] === "ok")
      .map(([lng, lat]) => [lat, lng]);
  }
}
