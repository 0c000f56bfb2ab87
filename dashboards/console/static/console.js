// The console reads the public API only: zones once, then the event stream.
import { PatrolMap } from "./map.js";
import { Words } from "./page.js";
import { AlertList, drawLegend, ZoneTable } from "./panels.js";
import { offerSignOut, stillSignedIn } from "./session.js";

const SILENT_MS = 5000; // the stream says something every second
const STUCK_MS = 15000;

const $ = (id) => document.getElementById(id);

async function appears(id) {
  while (!$(id)) await new Promise(requestAnimationFrame);
  return $(id);
}

const config = JSON.parse($("console-config").textContent);
const words = new Words(config);
document.documentElement.lang = config.lang;

// The system's clock: what the last health event said, and how long ago that was. It stands
// still when nothing is heard, because then nobody knows.
let said = null;
words.now = () => {
  if (!said) return Date.now();
  return said.now_ms + Math.min(performance.now() - said.heard, SILENT_MS) * (config.demo_speed ?? 1);
};

async function start() {
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: import.meta.resolve("nicegui-leaflet/leaflet/leaflet.css") });
  const styled = new Promise((done) => (style.onload = style.onerror = done));
  document.head.prepend(style); // before our own, which adapts it
  const [element] = await Promise.all([appears("map"), styled]);

  const statuses = new Map();
  const map = new PatrolMap(element, config, words);
  const pick = (zoneId) => map.showZone(zoneId);
  const table = new ZoneTable($("zones"), config, words, pick);
  const alerts = new AlertList($("alerts"), $("alert-count"), words, statuses, pick);
  drawLegend($("legend"), config, words);
  offerSignOut($("sign-out"), words.say("me.sign_out"));

  const handlers = {
    bike: (bike) => map.updateBike(bike),
    coverage: (status) => {
      statuses.set(status.zone_id, status);
      map.updateZone(status);
      table.update(status);
      later(() => table.sort());
    },
    alert: (alert) => {
      alerts.update(alert);
      later(() => alerts.render());
    },
    health: (health) => {
      said = { ...health, heard: performance.now() };
      showHealth(health);
    },
  };

  let heard = performance.now(), stream = null, first = true;

  async function loadZones() {
    const answer = await fetch("/api/v1/zones");
    if (!answer.ok) throw new Error(answer.status);
    map.setZones(await answer.json());
    for (const status of statuses.values()) map.updateZone(status);
  }

  async function connect() {
    stream?.close();
    heard = performance.now();
    try {
      if (first) await loadZones();
    } catch {
      notice("reconnecting");
      setTimeout(connect, 2000);
      return;
    }
    stream = new EventSource("/api/v1/stream");
    stream.onopen = () => {
      heard = performance.now();
      alerts.reset(); // the stream begins with everything that is open
      later(() => alerts.render());
      if (!first) loadZones().catch(() => {}); // they may have been redrawn meanwhile
      first = false;
    };
    stream.onerror = () => {
      notice("reconnecting");
      stillSignedIn();
      if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      stream.addEventListener(name, (event) => {
        heard = performance.now();
        notice(null);
        handle(JSON.parse(event.data));
      });
    }
  }

  setInterval(() => {
    showClock();
    const silent = performance.now() - heard;
    if (silent > SILENT_MS) notice("reconnecting");
    if (silent > STUCK_MS && !document.hidden) connect();
  }, 500);
  setInterval(() => alerts.render(), 5000);
  connect();
}

// Many events come at once; what they need done is done once, before the next picture.
const planned = new Map();
function later(work) {
  const key = work.toString();
  if (!planned.size) requestAnimationFrame(() => {
    const works = [...planned.values()];
    planned.clear();
    for (const each of works) each();
  });
  planned.set(key, work);
}

function notice(key) {
  const node = $("notice");
  node.hidden = key === null;
  if (key) node.textContent = words.say(key);
  if (key) Object.assign($("health").dataset, { level: "bad" });
  if (key) $("health-text").textContent = words.say("health.unknown");
}

function showClock() {
  if (said) $("clock").textContent = words.clock.format(new Date(words.now()));
}

function showHealth(health) {
  $("live").textContent = `${health.bikes_live} / ${health.bikes}`;
  $("rate").textContent = health.rate_per_s == null ? "–" : health.rate_per_s.toFixed(health.rate_per_s < 10 ? 1 : 0);
  const broken = health.parts.find((part) => !part.ok);
  const behind = health.lag_s > 60;
  $("health").dataset.level = broken ? "bad" : behind ? "behind" : "ok";
  $("health-text").textContent = broken ? `${broken.name}: ${broken.reason}`
    : behind ? `${words.say("health.behind")} ${words.duration(health.lag_s)}` : words.say("health.ready");
  showClock();
}

start();
