// The other zones, faint while one is drawn; what is drawn near them snaps to them.
import { leaflet as L } from "nicegui-leaflet";
import { colorOf } from "./basemap.js";
import { words } from "./frame.js";
import { latLngOf, ringsOf } from "./outline.js";
import { el } from "./page.js";
import { nearest, placeAt } from "./snapping.js";

const REACH_PX = 12;

export class Neighbours {
  constructor(map, onPick) {
    Object.assign(this, { map, onPick, group: L.featureGroup().addTo(map), rings: [] });
    map.on("zoomend viewreset", () => (this.points = null));
    addEventListener("themechange", () => this.group.eachLayer((layer) => layer.setStyle?.(look())));
  }

  show(features) {
    this.group.clearLayers();
    for (const feature of features) {
      const { label, zone_id } = feature.properties;
      L.geoJSON(feature, { style: look }).on("click", () => this.onPick(zone_id)).addTo(this.group);
      const name = el("span", "", words.zoneName(feature.properties));
      L.tooltip({ permanent: true, direction: "center", className: "zone-tip faint", content: name }).setLatLng(latLngOf(label)).addTo(this.group);
    }
    this.rings = features.flatMap((feature) => ringsOf(feature.geometry));
    this.points = null;
  }

  // What a position on the screen means: the place that it snaps to, and where on which ring of
  // places that is; null when nothing is near.
  snap(latlng) {
    this.points ??= this.rings.map((places) => places.map((place) => this.map.latLngToLayerPoint(latLngOf(place))));
    const on = nearest(this.map.latLngToLayerPoint(latlng), this.points, REACH_PX);
    const ring = on && this.rings[on.ring];
    return { on: on && { ...on, ring }, place: on && placeAt(ring, on) };
  }
}

function look() {
  return { color: colorOf("dim"), weight: 1.5, opacity: 0.8, fillOpacity: 0.07 };
}
