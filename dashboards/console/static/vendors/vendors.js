// @ts-check
// The vendors: what comes from each, what is refused and why, and the bikes that it lacks.
import { toast } from "../page/dialog.js";
import { button, el, fill } from "../page/dom.js";
import { config, read, repeat, start, words } from "../page/frame.js";
import { change } from "../page/session.js";
import { firstMessage } from "./first.js";

const ZONE_S = 1800; // time zones are half hours apart

start(async (main) => {
  const cards = new Map(), list = el("div", "vendors");
  main.replaceChildren(list);
  repeat(5000, async () => {
    /** @type {Vendors} */ const { vendors, broker } = await read("/vendors");
    for (const vendor of vendors) {
      if (!cards.has(vendor.vendor)) cards.set(vendor.vendor, new VendorCard(vendor.vendor));
      cards.get(vendor.vendor).show(vendor, broker);
    }
    fill(list, vendors.map(({ vendor }) => cards.get(vendor).node));
  });
});

class VendorCard {
  node = el("section", "vendor");
  body = el("div");
  strays = el("div");
  broker = "";
  shown = "";

  /** @param {string} name */
  constructor(name) {
    this.path = `/vendors/${encodeURIComponent(name)}`;
    this.listen = button("button", words.say("vendors.listen"), () => this.hear());
    this.node.append(this.body);
    if (config.may_act) {
      this.node.append(el("h3", "", words.say("vendors.strays")),
        el("p", "dim", words.say("vendors.strays.what")), this.listen, this.strays);
    }
  }

  /** What has not changed stays as it is: somebody may be reading or copying it.
   * @param {Vendor} vendor @param {string} broker */
  show(vendor, broker) {
    this.broker = broker;
    const now = JSON.stringify([broker, { ...vendor, first_message: null }]);
    if (now === this.shown) return;
    this.shown = now;
    fill(this.body, headOf(vendor),
      vendor.first_message && firstMessage(vendor, broker), figuresOf(vendor),
      ...clocksOf(vendor), ...refusalsOf(vendor), ...this.bikesOf(vendor));
  }

  /** Bikes on no list, and those that were put on it here. @param {Vendor} vendor */
  bikesOf({ unknown_bikes, accepted, listed }) {
    const act = (key, press) => button("button", words.say(`vendors.${key}`), press);
    const unknown = unknown_bikes.map(({ bike_id, items, last, acceptable }) => [
      el("b", "", bike_id), String(items), words.time(last),
      acceptable && config.may_manage
        && act("accept", () => this.change("POST", "/bikes", { bike_id }, "accepted", bike_id))]);
    const own = accepted.map((bike_id) => [el("b", "", bike_id), config.may_manage
      && act("strike", () => this.change("DELETE", `/bikes/${encodeURIComponent(bike_id)}`,
        undefined, "struck", bike_id))]);
    const none = listed ? "unknown.none" : "unknown.any";
    return [
      ...part("unknown", ["bike", "items", "last", ""], unknown, unknown.length ? "" : none),
      ...part("own", ["bike", ""], own)];
  }

  async change(method, path, body, done, bike) {
    const answer = await change(this.path + path, method, body), wrong = words.refusal(answer);
    const text = wrong ?? words.say(`vendors.${done}`, { bike });
    toast(text, { kind: wrong ? "bad" : "", for_ms: 6000 });
    if (answer?.ok) this.show(answer.body, this.broker);
  }

  async hear() {
    this.listen.disabled = true;
    fill(this.strays, el("p", "dim", words.say("vendors.listening")));
    const answer = await change(`${this.path}/listen`, "POST"), wrong = words.refusal(answer);
    this.listen.disabled = false;
    if (wrong) return fill(this.strays, el("p", "wrong", wrong));
    /** @type {StrayTopics} */ const { topics, prefixes } = answer?.body;
    const rows = topics.map(({ topic, messages, payload, payload_bytes }) =>
      [el("b", "", topic), String(messages), payloadOf(payload, payload_bytes)]);
    return fill(this.strays, rows.length ? table(["topic", "messages", "payload"], rows)
      : el("p", "dim", words.say("vendors.strays.none", { prefixes: prefixes.join(", ") })));
  }
}

function headOf(/** @type {Vendor} */ { vendor, state, format, datum, topics }) {
  const how = [format, datum, ...topics].join(" · ");
  return el("div", "vendor-head", el("h1", "", vendor),
    el("span", `vendor-state state-${state}`, words.say(`vendors.state.${state}`)),
    el("span", "dim", how));
}

function figuresOf(/** @type {Vendor} */ vendor) {
  const { bikes, rate_per_s: rate, delay_s, received, stored, rejected, notes } = vendor;
  const unknown = Object.entries(notes).map(([name, n]) => `${name} ${n}`).join(", ");
  const figure = (name, value) =>
    el("div", "vendor-figure", el("b", "", value), el("span", "dim", words.say(`vendors.${name}`)));
  const count = (name, n) => figure(name, n.toLocaleString(words.config.lang));
  return el("div", "vendor-figures", count("bikes", bikes),
    figure("rate", rate.toFixed(rate < 10 ? 2 : 0)),
    figure("delay", delay_s === null ? "–" : signed(delay_s)),
    count("received", received), count("stored", stored), count("rejected", rejected),
    unknown && figure("notes", unknown));
}

/** Bikes whose clock is off, and whether all are by a time zone. @param {Vendor} vendor */
function clocksOf({ clocks, delay_s }) {
  const zones = Math.round((delay_s ?? 0) / ZONE_S);
  const byZone = zones !== 0 && Math.abs((delay_s ?? 0) - zones * ZONE_S) < 60;
  const rows = clocks.map(({ bike_id, offset_s }) => [el("b", "", bike_id), signed(offset_s)]);
  return [byZone && el("p", "wrong", words.say("vendors.zone", { offset: signed(delay_s) })),
    ...part("clocks", ["bike", "offset"], rows, rows.length ? "clocks.what" : "")];
}

function refusalsOf(/** @type {Vendor} */ { refusals }) {
  const rows = refusals.map(({ reason, items, last }) => [
    el("b", "", words.say(`reject.${reason}`)), String(items),
    last && el("div", "last-refusal", el("span", "", `${words.time(last.at)} ${last.topic}`),
      el("span", "", last.detail), payloadOf(last.payload, last.payload_bytes))]);
  return part("refusals", ["reason", "items", "last"], rows, rows.length ? "" : "refusals.none");
}

/** @param {string | null} payload null where one may not see it @param {number} bytes */
function payloadOf(payload, bytes) {
  if (payload === null) return el("small", "", words.say("vendors.payload.hidden"));
  const cut = bytes > 512 && el("small", "", words.say("vendors.payload.cut", { bytes }));
  return el("div", "", el("code", { className: "payload", tabIndex: 0 }, payload), cut);
}

/** A table under its heading, and what is to be said there; nothing without rows and a note. */
function part(name, columns, rows, note = "") {
  if (!rows.length && !note) return [];
  return [el("h3", "", words.say(`vendors.${name}`)),
    note && el("p", "dim", words.say(`vendors.${note}`)), rows.length > 0 && table(columns, rows)];
}

function table(columns, rows) {
  const heads = columns.map((name) => el("th", "", name && words.say(`vendors.${name}`)));
  return el("div", "rows", el("table", "", el("thead", "", el("tr", "", heads)),
    el("tbody", "", rows.map((cells) => el("tr", "", cells.map((cell) => el("td", "", cell)))))));
}

function signed(seconds) {
  const [sign, s] = seconds < 0 ? ["−", -seconds] : ["", seconds];
  return `${sign}${s < 60 ? words.say("unit.s", { n: s.toFixed(1) }) : words.duration(s)}`;
}
