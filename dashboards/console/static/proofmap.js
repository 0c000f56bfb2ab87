// Where an alert was, and the track of the bike whose visit ended it.
import { leaflet as L } from "nicegui-leaflet";
import { baseMap, colorOf, styleOf } from "./basemap.js";
import { leafletStyle, read, words } from "./frame.js";
import { el } from "./page.js";

const BEFORE_MS = 30 * 60_000, AFTER_MS = 2 * 60_000; // what makes a patrol, and a little more

export class ProofMap {
  constructor(element) {
    this.element = element;
    this.ready = leafletStyle().then(() => (this.map = baseMap(element)));
  }

  async show(zoneId, evidence) {
    const key = JSON.stringify([zoneId, evidence]);
    if (key === this.shown) return;
    this.shown = key;
    await this.ready;
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
