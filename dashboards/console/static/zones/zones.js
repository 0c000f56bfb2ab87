// @ts-check
// The zones: how each stands, and what was ordered for them.
import { followAlerts } from "../alerts/list.js";
import { button, el, fill, zoneLink } from "../page/dom.js";
import { config, live, read, repeat, setQuery, start, unread, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { ZoneList } from "./list.js";
import { endCampaign, OrderButtons } from "./orders.js";

const TREND_MS = 60_000, CAMPAIGNS_MS = 60_000;
const STATES = ["in_force", "planned", "over"];
const VIEWS = ["zones", "campaigns"];

start(async (main) => {
  const head = el("div", { className: "zone-line head", role: "row" });
  const rows = el("div", { className: "rows", role: "rowgroup" });
  const orders = el("div", "rows orders");
  const table = el("div", { className: "zone-table", role: "table" }, head, rows);
  const views = { zones: table, campaigns: orders };
  const tabs = VIEWS.map((name) => button("tab", words.say(`zones.tab.${name}`), () => show(name)));
  const count = el("span", "count", "0");
  tabs[0].append(count);
  const buttons = new OrderButtons(() => list.status, async (what) => {
    await load();
    if (what === "campaign") show("campaigns");
  });
  const offer = () =>
    buttons.show(list.status ? words.zoneName(list.status) : words.say("zones.pick"));
  const list = new ZoneList(head, rows, { onPick: offer });
  const bar = el("div", "panel-head", el("div", "tabs", tabs), el("span", "space"), buttons.node);
  main.replaceChildren(el("section", "panel", bar, table, orders));
  offer();
  const campaigns = new CampaignList(orders);
  const load = () => campaigns.load()
    .catch((error) => orders.replaceChildren(el("div", "empty", error.message)));
  function show(name) {
    for (const [i, each] of VIEWS.entries()) {
      tabs[i].setAttribute("aria-pressed", String(each === name));
      views[each].hidden = each !== name;
    }
    setQuery({ show: name === "zones" ? null : name });
    if (name === "campaigns") load();
  }

  live.on("coverage", (status) => {
    list.update(status);
    if (status.zone_id === list.selected) offer();
    count.textContent = String(list.all.size);
    if (!orders.hidden) later("campaigns", () => campaigns.draw());
  });
  const zones = async () =>
    list.keep(new Set((await read("/zones?coverage=false")).features.map((feature) => feature.id)));
  for (const event of ["open", "zones"]) live.on(event, () => zones().catch(unread));
  followAlerts((open) => list.showAlerts(open));
  repeat(TREND_MS, async () => list.showTrends((await read("/coverage/trend")).zones));
  repeat(CAMPAIGNS_MS, async () => orders.hidden || load());
  const asked = new URLSearchParams(location.search).get("show");
  show(VIEWS.find((each) => each === asked) ?? "zones");
});

/** Campaigns and pauses: what was ordered for which zones, by whom and why. */
class CampaignList {
  /** @type {Campaign[] | null} */ campaigns = null;
  drawn = "";

  constructor(/** @type {HTMLElement} */ body) {
    this.body = body;
    body.replaceChildren(el("div", "empty", words.say("connecting")));
  }

  async load() {
    this.campaigns = (await read("/campaigns")).campaigns;
    this.draw();
  }

  /** Again when a zone's name has come. */
  draw() {
    const { campaigns } = this;
    if (!campaigns) return;
    // Drawn when something is different, so that no button goes away under the pointer.
    const drawn = JSON.stringify([campaigns, [...words.zones.keys()]]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const groups = STATES
      .map((state) => ({ state, own: campaigns.filter((each) => each.state === state) }))
      .filter(({ own }) => own.length);
    fill(this.body, groups.map(({ state, own }) => el("section", `campaigns ${state}`,
      el("h2", "", words.say(`order.${state}`), " ", el("span", "count", String(own.length))),
      own.map((campaign) => this.row(campaign)))),
    !groups.length && el("div", "empty", words.say("campaign.none")));
  }

  row(/** @type {Campaign} */ campaign) {
    const { kind, name, keys, source, state } = campaign;
    const endable = config.may_act && state !== "over" && source === "console";
    const [from, to] = [campaign.from, campaign.to].map((at) => words.time(at));
    const zones = campaign.zones.flatMap((zoneId, i) =>
      [i ? words.say("list.and") : "", zoneLink(zoneId, words.zone(zoneId))]);
    const facts = [keysText(keys), ...ordersText(campaign)].filter(Boolean);
    return el("article", { className: "campaign", data: { campaign: name } },
      el("div", "campaign-head", el("span", `kind of-${kind}`, words.say(`order.${kind}`)),
        el("b", "", name), el("span", "dim", words.say("campaign.between", { from, to })),
        el("span", "space"), endable && button("button danger", words.say("campaign.end"),
          async () => (await endCampaign(campaign)) && this.load())),
      el("p", "", words.say("campaign.of"), zones), facts.map((text) => el("p", "dim", text)));
  }
}

/** By whom a campaign was ordered and ended, when and why. @param {Campaign} campaign */
function ordersText({ source, ordered_by, ordered_at, reason, ended_by, ended_at, end_reason }) {
  const text = (key, who, at, why) => words.say(key, { who, time: at && words.time(at) })
    + (why ? ` · ${words.say("campaign.why", { why })}` : "");
  const ordered = source === "configuration" ? "campaign.configured" : "campaign.ordered";
  return [text(ordered, ordered_by, ordered_at, reason),
    ended_at ? text("campaign.ended_by", ended_by, ended_at, end_reason) : ""];
}

/** The keys of the policy that a campaign sets, in words; one without words as it is written. */
function keysText(keys) {
  return Object.entries(keys).filter(([key]) => key !== "paused").map(([key, value]) => {
    const n = key === "target" ? words.percent(value)
      : key === "window" ? words.say(`window.${value}`)
      : [value].flat().join(words.say("list.and"));
    const says = `campaign.key.${key}`;
    return words.knows(says) ? words.say(says, { n }) : `${key} ${n}`;
  }).join(" · ");
}
