// Zones and their versions as the API has them, and what is sent to change them.
import { config, read } from "./frame.js";
import { ask } from "./session.js";

// Those that are valid at an instant; without one, now.
export function zonesAt(at = null) {
  return read(at ? `/zones?${new URLSearchParams({ at })}` : "/zones");
}

// All versions of a zone, the oldest first, and the version of the whole.
export async function versionsOf(zoneId) {
  const { features, version } = await read(pathOf(zoneId, "/versions"));
  return { versions: features, over: version };
}

// Who drew the zone, by the instant from which it was so; nobody is known where nobody signs in.
export async function authorsOf(zoneId) {
  const known = new Map();
  if (config.me === null) return known;
  const asked = new URLSearchParams({ action: "PUT /zones/{zone_id}", limit: 1000 });
  const { entries } = await read(`/audit?${asked}`);
  for (const { actor, detail } of entries.reverse()) if (detail.zone === zoneId) known.set(Date.parse(detail.at), actor);
  return known;
}

// Changes name the version of all zones over which they were made: `over`.
export function put(zoneId, feature, { over, dryRun }) {
  return change(pathOf(zoneId, dryRun ? "?dry_run=true" : ""), "PUT", feature, over);
}

export function end(zoneId, validTo, over) {
  return change(pathOf(zoneId), "DELETE", { valid_to: validTo }, over);
}

async function change(path, method, body, over) {
  const answer = await ask(`/api/v1${path}`, { method, body, headers: { "if-match": `"${over}"` } });
  return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => ({})) };
}

function pathOf(zoneId, rest = "") {
  return `/zones/${encodeURIComponent(zoneId)}${rest}`;
}
