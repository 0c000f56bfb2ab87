// @ts-check
// The zones: how each stands, and what was ordered for them.
import { OpenAlerts } from "../alerts/list.js";
import { button, el, zoneLink } from "../page/dom.js";
import { config, keys, live, read, repeat, start, unread, words } from "../page/frame.js";
import { later } from "../page/live.js";
import { ZoneList } from "./list.js";
import { endCampaign, pause, resume, startCampaign } from "./orders.js";

const TREND_MS = 60_000, CAMPAIGNS_MS = 60_000;
const VIEWS = ["zones", "campaigns"];

start(async (main) => {
  const head = el("div", "zone-line head"), rows = el("div", "rows"), orders = el("div", "rows orders");
  const table = el("div", "zone-table", head, rows);
  table.setAttribute("role", "table");
  const views = { zones: table, campaigns: orders };
  const tabs = VIEWS.map((name) => button("tab", words.say(`zones.tab.${name}`), () => show(name)));
  const count = el("span", "count", "0");
  tabs[0].append(count);
  const acts = el("span", "buttons");
  main.replaceChildren(el("section", "panel", el("div", "panel-head", el("div", "tabs", ...tabs), el("span", "space"), acts), table, orders));

  const list = new ZoneList(head, rows, { onPick: () => offer() });
  const campaigns = new CampaignList(orders);
  const load = () => campaigns.load().catch((error) => orders.replaceChildren(el("div", "empty", error.message)));

  function show(name) {
    for (const [i, each] of VIEWS.entries()) {
      tabs[i].setAttribute("aria-pressed", each === name);
      views[each].hidden = each !== name;
    }
    const query = new URLSearchParams(location.search);
    query.set("show", name);
    history.replaceState(null, "", `?${query}`);
    if (name === "campaigns") load();
  }

  // What may be done about the zone that is selected.
  const order = async () => {
    const { status } = list;
    if (status && await (status.state === "paused" ? resume(status) : pause(status))) load();
  };
  const campaign = async () => {
    if (await startCampaign(list.selected ? [list.selected] : [])) {
      await load();
      show("campaigns");
    }
  };
  const press = button("button", "", order), begin = button("button main", words.say("campaign.start"), campaign, "o");
  function offer() {
    const { status } = list;
    press.disabled = !status;
    press.replaceChildren(words.say(status?.state === "paused" ? "resume" : "pause"), el("kbd", "", "P"));
    press.title = status ? words.zoneName(status) : words.say("zones.pick");
  }
  if (config.may_act) {
    acts.append(press, begin);
    keys.bind("p", "pause", order).bind("o", "campaign.start", campaign);
    offer();
  }

  live.on("coverage", (status) => {
    list.update(status);
    if (status.zone_id === list.selected) offer();
    count.textContent = list.all.size;
    if (!orders.hidden) later("campaigns", () => campaigns.draw());
  });
  const zones = async () => list.keep(new Set((await read("/zones")).features.map((feature) => feature.id)));
  for (const event of ["open", "zones"]) live.on(event, () => zones().catch(unread));
  new OpenAlerts((open) => list.showAlerts(open));
  repeat(TREND_MS, async () => list.showTrends((await read("/coverage/trend")).zones));
  repeat(CAMPAIGNS_MS, async () => orders.hidden || load());
  const asked = new URLSearchParams(location.search).get("show");
  show(VIEWS.includes(asked) ? asked : "zones");
});

// Campaigns and pauses: what was ordered for which zones, by whom and why.

const STATES = ["in_force", "planned", "over"];

export class CampaignList {
  constructor(body) {
    this.body = body;
    this.drawn = "";
    body.replaceChildren(el("div", "empty", words.say("connecting")));
  }

  async load() {
    this.campaigns = (await read("/campaigns")).campaigns;
    this.draw();
  }

  // Again when a zone's name has come.
  draw() {
    const { campaigns } = this;
    if (!campaigns) return;
    // Drawn when something is different, so that no button goes away under the pointer.
    const drawn = JSON.stringify([campaigns, [...words.zones.keys()]]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const groups = STATES.map((state) => [state, campaigns.filter((campaign) => campaign.state === state)]).filter(([, own]) => own.length);
    this.body.replaceChildren(...groups.map(([state, own]) =>
      el("section", `campaigns ${state}`, el("h2", "", words.say(`order.${state}`), " ", el("span", "count", String(own.length))),
        ...own.map((campaign) => this.row(campaign)))));
    if (!groups.length) this.body.append(el("div", "empty", words.say("campaign.none")));
  }

  row(campaign) {
    const zones = campaign.zones.flatMap((zoneId, i) => [i ? words.say("list.and") : "", zoneLink(zoneId, zoneName(zoneId))]);
    const node = el("article", "campaign",
      el("div", "campaign-head", el("span", `kind of-${campaign.kind}`, words.say(`order.${campaign.kind}`)), el("b", "", campaign.name),
        el("span", "dim", words.say("campaign.between", { from: words.time(campaign.from), to: words.time(campaign.to) })), el("span", "space"), ...this.buttons(campaign)),
      el("p", "", words.say("campaign.of"), ...zones),
      ...[keysText(campaign.keys), orderedText(campaign), endedText(campaign)].filter(Boolean).map((text) => el("p", "dim", text)));
    node.dataset.campaign = campaign.name;
    return node;
  }

  buttons(campaign) {
    if (!config.may_act || campaign.state === "over" || campaign.source !== "console") return [];
    return [button("button danger", words.say("campaign.end"), async () => (await endCampaign(campaign)) && this.load())];
  }
}

function zoneName(zoneId) {
  const zone = words.zones.get(zoneId);
  return zone ? words.zoneName(zone) : zoneId;
}

function orderedText({ source, ordered_by, ordered_at, reason }) {
  const ordered = source === "configuration" ? words.say("campaign.configured") : words.say("campaign.ordered", { who: ordered_by, time: words.time(ordered_at) });
  return withReason(ordered, reason);
}

function endedText({ ended_by, ended_at, end_reason }) {
  return ended_at && withReason(words.say("campaign.ended_by", { who: ended_by, time: words.time(ended_at) }), end_reason);
}

function withReason(text, why) {
  return why ? `${text} · ${words.say("campaign.why", { why })}` : text;
}

// The keys of the policy that a campaign sets, in words; one without words as it is written.
function keysText(keys) {
  return Object.entries(keys).filter(([key]) => key !== "paused").map(([key, value]) => {
    const text = key === "target" ? words.percent(value) : key === "window" ? words.say(`window.${value}`) : [value].flat().join(", ");
    return `campaign.key.${key}` in config.texts ? words.say(`campaign.key.${key}`, { n: text }) : `${key} ${text}`;
  }).join(" · ");
}
