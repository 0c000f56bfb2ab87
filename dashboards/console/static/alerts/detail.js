// @ts-check
// An alert as a whole: its facts, what may be done, the map with the evidence, and its history.
import * as L from "../leaflet/leaflet-src.esm.js";
import { baseMap, colorOf, styleOf } from "../map/base.js";
import { button, el, zoneLink } from "../page/dom.js";
import { live, read, words } from "../page/frame.js";
import { act, ACTS, possible } from "./acts.js";
import { factsOf } from "./list.js";

export class AlertDetail {
  constructor(body, { large = false } = {}) {
    Object.assign(this, { body, large, alert: null });
    body.replaceChildren(el("div", "empty", words.say("alerts.pick")));
    live.on("alert", (alert) => alert.alert_id === this.alert?.alert_id && this.show(alert.alert_id));
    live.on("coverage", (status) => this.alert?.zone_id === status.zone_id && !this.named && this.render());
  }

  async show(alertId) {
    this.wanted = alertId;
    try {
      const record = await read(`/alerts/${encodeURIComponent(alertId)}`);
      if (this.wanted !== alertId) return; // another was picked meanwhile
      this.alert = record;
      this.render();
    } catch (error) {
      this.body.replaceChildren(el("div", "empty", error.message));
    }
  }

  render() {
    const { alert } = this;
    this.named = alert.zone_id === null || words.zones.has(alert.zone_id);
    const buttons = possible(alert).map((name, i) =>
      button(i ? "button" : "button main", words.say(`act.${name}`), () => act(alert, name), ACTS[name].key));
    const head = el("div", "detail-head",
      el("h1", "", words.say(`rule.${alert.rule}`), " · ", subjectLink(alert)),
      el("p", "facts", el("b", `severity ${alert.severity}`, words.say(`severity.${alert.severity}`)), " ",
        factsOf(alert).join(" · "), " · ", words.say("alerts.since", { time: words.time(alert.opened) })));
    const parts = [head, el("div", "buttons", ...buttons)];
    const evidence = proof(alert);
    if (evidence || alert.zone_id) {
      this.map ??= el("div", "proof-map");
      this.proof ??= new ProofMap(this.map);
      this.proof.show(alert.zone_id, evidence);
      parts.push(this.map);
    }
    parts.push(el("h2", "", words.say("alerts.history")), el("ol", "history", ...alert.history.map(rowOf)));
    this.body.replaceChildren(...parts);
  }

}

// The visit that ended the condition: which bike, when.
export function proof(alert) {
  for (const row of [...alert.history].reverse()) {
    if (typeof row.evidence.bike === "string" && typeof row.evidence.at_ms === "number") return row.evidence;
  }
  return null;
}

function subjectLink(alert) {
  const name = words.subject(alert);
  return alert.zone_id ? zoneLink(alert.zone_id, name) : name;
}

function rowOf(row) {
  const who = row.actor === "system" ? words.say("alerts.system") : row.actor;
  const lines = [];
  if (row.assigned_to) lines.push(words.say("alerts.assigned_to", { who: row.assigned_to }));
  if (row.until) lines.push(words.say("alerts.shelved_until", { time: words.time(row.until) }));
  if (row.reason) lines.push(`reason.${row.reason}` in words.config.texts ? words.say(`reason.${row.reason}`) : row.reason);
  const told = evidenceText(row.evidence);
  if (told) lines.push(told);
  const item = el("li", "", el("time", "", words.time(row.at)), el("b", "", words.say(`event.${row.event}`)), el("span", "who", who),
    ...lines.map((line) => el("p", "", line)));
  item.dataset.event = row.event;
  return item;
}

// Facts that prove a row, each in words; a fact without words of its own is left to the API.
function evidenceText(evidence) {
  const said = [];
  for (const [key, value] of Object.entries(evidence)) {
    if (!(`evidence.${key}` in words.config.texts)) continue;
    const text = key.endsWith("_s") ? words.duration(value) : key.endsWith("_ms") ? words.time(value)
      : key.endsWith("ratio") || key.endsWith("share") || key === "target" ? words.percent(value) : String(value);
    said.push(words.say(`evidence.${key}`, { n: text }));
  }
  return said.join(" · ");
}

// Where an alert was, and the track of the bike whose visit ended it.

const BEFORE_MS = 30 * 60_000, AFTER_MS = 2 * 60_000; // what makes a patrol, and a little more

export class ProofMap {
  constructor(element) {
    this.map = baseMap(element);
  }

  async show(zoneId, evidence) {
    const key = JSON.stringify([zoneId, evidence]);
    if (key === this.shown) return;
    this.shown = key;
    this.drawn?.remove();
    this.drawn = L.featureGroup().addTo(this.map);
    const [zones, track] = await Promise.all([read("/zones").catch(() => null), evidence && this.track(evidence)]);
    if (key !== this.shown) return;
    const zone = zones?.features.find((feature) => feature.id === zoneId);
    if (zone) L.geoJSON(zone, { interactive: false, style: styleOf(zone.properties.state) }).addTo(this.drawn);
    if (track?.length) {
      L.polyline(track, { color: colorOf("halo"), weight: 7 }).addTo(this.drawn);
      L.polyline(track, { color: colorOf("accent"), weight: 4 }).addTo(this.drawn);
      L.circleMarker(track.at(-1), { radius: 7, color: colorOf("halo"), weight: 2, fillColor: colorOf("hot"), fillOpacity: 1 })
        .bindTooltip(el("span", "", words.say("alerts.proof", { bike: evidence.bike, time: words.time(evidence.at_ms) })), { permanent: true, direction: "top", offset: [0, -8] })
        .addTo(this.drawn);
    }
    this.map.invalidateSize();
    const bounds = this.drawn.getBounds();
    if (bounds.isValid()) this.map.fitBounds(bounds, { padding: [24, 24], animate: false });
  }

  async track({ bike, at_ms }) {
    const [vendor, bikeId] = bike.split("/");
    const asked = new URLSearchParams({ vendor, from: at_ms - BEFORE_MS, to: at_ms + AFTER_MS });
    const answer = await read(`/bikes/${encodeURIComponent(bikeId)}/track?${asked}`).catch(() => null);
    if (!answer) return null;
    const { timestamps, verdicts } = answer.properties;
    return answer.geometry.coordinates.filter((_, i) => timestamps[i] <= at_ms && verdicts[i] === "ok").map(([lng, lat]) => [lat, lng]);
  }
}
