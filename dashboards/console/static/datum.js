// WGS-84 and GCJ-02, as geofence/datum.py has them; its tests hold this to the same values.
const SEMI_MAJOR_M = 6378245, ECCENTRICITY_SQUARED = 0.00669342162296594323, STEPS = 3;
const { PI, abs, cos, sin, sqrt } = Math;

function inChina(lat, lng) {
  return lat >= 0.8293 && lat <= 55.8271 && lng >= 72.004 && lng <= 137.8347;
}

function displaced(lat, lng) {
  const x = lng - 105, y = lat - 35, root = sqrt(abs(x));
  const ripple = 20 * (sin(6 * PI * x) + sin(2 * PI * x));
  const waves = (v, long, longer) => 20 * sin(PI * v) + 40 * sin((PI * v) / 3) + long * sin((PI * v) / 12) + longer * sin((PI * v) / 30);
  const north = (ripple + waves(y, 160, 320)) * (2 / 3) - 100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
  const east = (ripple + waves(x, 150, 300)) * (2 / 3) + 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
  const phi = (lat * PI) / 180, sine = sin(phi);
  const squeeze = 1 - ECCENTRICITY_SQUARED * sine * sine;
  const primeVertical_m = SEMI_MAJOR_M / sqrt(squeeze);
  const meridian_m = (primeVertical_m * (1 - ECCENTRICITY_SQUARED)) / squeeze;
  return [lat + (north / meridian_m) * (180 / PI), lng + (east / (primeVertical_m * cos(phi))) * (180 / PI)];
}

// Both take and return [lat, lng] in degrees; outside China the two datums are the same.
export function toGcj02([lat, lng]) {
  return inChina(lat, lng) ? displaced(lat, lng) : [lat, lng];
}

export function toWgs84([lat, lng]) {
  if (!inChina(lat, lng)) return [lat, lng];
  let [w, v] = [lat, lng];
  for (let step = 0; step < STEPS; step++) {
    const [there, over] = displaced(w, v);
    [w, v] = [w - (there - lat), v - (over - lng)];
  }
  return [w, v];
}
