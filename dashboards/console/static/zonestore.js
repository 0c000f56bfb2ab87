// Zones and their versions as the API has them, and what is sent to change them.
import { read } from "./frame.js";
import { ask } from "./session.js";

// Those that are valid at an instant; without one, now.
export function zonesAt(at = null) {
  return read(at ? `/zones?${new URLSearchParams({ at })}` : "/zones");
}

// All versions of a zone, the oldest first, and the tag that a change of them has to name.
export async function versionsOf(zoneId) {
  const answer = await fetch(pathOf(zoneId, "/versions"));
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return { versions: body.features, etag: answer.headers.get("etag") };
}

export function put(zoneId, feature, { etag, dryRun = false }) {
  return change(pathOf(zoneId, dryRun ? "?dry_run=true" : ""), { method: "PUT", body: feature, etag });
}

export function end(zoneId, validTo, etag) {
  return change(pathOf(zoneId), { method: "DELETE", body: { valid_to: validTo }, etag });
}

async function change(path, { method, body, etag }) {
  const answer = await ask(path, { method, body, headers: etag ? { "if-match": etag } : {} });
  return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => ({})) };
}

function pathOf(zoneId, rest = "") {
  return `/api/v1/zones/${encodeURIComponent(zoneId)}${rest}`;
}
