// Where bikes were at an instant of the past, between the fixes of GET /tracks.

// A track with what is looked up in it: a bike is not shown where it was not heard for longer than
// a path may bridge, or than two steps where the answer has fewer fixes than were sent.
export function trackOfAnswer(track, step_s, max_gap_s) {
  return { ...track, gap_ms: Math.max(max_gap_s, 2 * step_s) * 1000 };
}

// The bike as at `at` [ms], or null where it is not known: on the straight way between two fixes,
// or at the last one while the next is too far off.
export function bikeAt({ vendor, bike_id, timestamps, lat, lng, heading, gap_ms }, at) {
  const i = lastBefore(timestamps, at);
  if (i < 0 || at - timestamps[i] > gap_ms) return null;
  const next_ms = timestamps[i + 1];
  const goes = next_ms - timestamps[i] <= gap_ms;
  const share = goes ? (at - timestamps[i]) / (next_ms - timestamps[i]) : 0;
  const between = (values) => (share ? values[i] + share * (values[i + 1] - values[i]) : values[i]);
  return {
    vendor, bike_id, at: timestamps[i], age_s: (at - timestamps[i]) / 1000, liveness: goes || at === timestamps[i] ? "live" : "stale",
    lat: between(lat), lng: between(lng), heading_deg: heading?.[i] ?? null,
  };
}

// The last of some sorted times that is not after `at`; -1 when all are.
function lastBefore(timestamps, at) {
  let low = 0, high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timestamps[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
