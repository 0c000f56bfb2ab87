// @ts-check
// The zones: how each stands, and what was ordered for them.
import { OpenAlerts } from "../alerts/list.js";
import { button, el, zoneLink } from "../page/dom.js";
import {
  config, keys, live, read, repeat, setQuery, start, unread, words,
} from "../page/frame.js";
import { later } from "../page/live.js";
import { ZoneList } from "./list.js";
import { endCampaign, pause, resume, startCampaign } from "./orders.js";

const TREND_MS = 60_000, CAMPAIGNS_MS = 60_000;
const STATES = ["in_force", "planned", "over"];
const VIEWS = ["zones", "campaigns"];

start(async (main) => {
  const head = el("div", "zone-line head"), rows = el("div", "rows");
  const orders = el("div", "rows orders"), acts = el("span", "buttons");
  const table = el("div", "zone-table", head, rows);
  table.setAttribute("role", "table");
  const views = { zones: table, campaigns: orders };
  const tabs = VIEWS.map((name) => button("tab", words.say(`zones.tab.${name}`), () => show(name)));
  const count = el("span", "count", "0");
  tabs[0].append(count);
  const bar = el("div", "panel-head", el("div", "tabs", ...tabs), el("span", "space"), acts);
  main.replaceChildren(el("section", "panel", bar, table, orders));

  const list = new ZoneList(head, rows, { onPick: () => offer() });
  const campaigns = new CampaignList(orders);
  const load = () => campaigns.load()
    .catch((error) => orders.replaceChildren(el("div", "empty", error.message)));

  function show(name) {
    for (const [i, each] of VIEWS.entries()) {
      tabs[i].setAttribute("aria-pressed", String(each === name));
      views[each].hidden = each !== name;
    }
    setQuery({ show: name });
    if (name === "campaigns") load();
  }

  // Orders about the selected zone.
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
  const press = button("button", "", order);
  function offer() {
    const { status } = list;
    press.disabled = !status;
    press.replaceChildren(words.say(status?.state === "paused" ? "resume" : "pause"),
      el("kbd", "", "P"));
    press.title = status ? words.zoneName(status) : words.say("zones.pick");
  }
  if (config.may_act) {
    acts.append(press, button("button main", words.say("campaign.start"), campaign, "o"));
    keys.bind("p", "pause", order).bind("o", "campaign.start", campaign);
    offer();
  }

  live.on("coverage", (status) => {
    list.update(status);
    if (status.zone_id === list.selected) offer();
    count.textContent = String(list.all.size);
    if (!orders.hidden) later("campaigns", () => campaigns.draw());
  });
  const zones = async () =>
    list.keep(new Set((await read("/zones")).features.map((feature) => feature.id)));
  for (const event of ["open", "zones"]) live.on(event, () => zones().catch(unread));
  new OpenAlerts((open) => list.showAlerts(open));
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
    this.body.replaceChildren(...groups.map(({ state, own }) =>
      el("section", `campaigns ${state}`,
        el("h2", "", words.say(`order.${state}`), " ", el("span", "count", String(own.length))),
        ...own.map((campaign) => this.row(campaign)))));
    if (!groups.length) this.body.append(el("div", "empty", words.say("campaign.none")));
  }

  row(/** @type {Campaign} */ campaign) {
    const { kind, name, keys } = campaign;
    const [from, to] = [campaign.from, campaign.to].map((at) => words.time(at));
    const zones = campaign.zones.flatMap((zoneId, i) =>
      [i ? words.say("list.and") : "", zoneLink(zoneId, words.zone(zoneId))]);
    const facts = [keysText(keys), orderedText(campaign), endedText(campaign)].filter(Boolean);
    const node = el("article", "campaign",
      el("div", "campaign-head", el("span", `kind of-${kind}`, words.say(`order.${kind}`)),
        el("b", "", name), el("span", "dim", words.say("campaign.between", { from, to })),
        el("span", "space"), ...this.buttons(campaign)),
      el("p", "", words.say("campaign.of"), ...zones),
      ...facts.map((text) => el("p", "dim", text)));
    node.dataset.campaign = name;
    return node;
  }

  buttons(campaign) {
    if (!config.may_act || campaign.state === "over" || campaign.source !== "console") return [];
    return [button("button danger", words.say("campaign.end"),
      async () => (await endCampaign(campaign)) && this.load())];
  }
}

function orderedText({ source, ordered_by, ordered_at, reason }) {
  const ordered = source === "configuration" ? words.say("campaign.configured")
    : words.say("campaign.ordered", { who: ordered_by, time: words.time(ordered_at) });
  return withReason(ordered, reason);
}

function endedText(/** @type {Campaign} */ { ended_by, ended_at, end_reason }) {
  if (!ended_at) return "";
  const values = { who: ended_by, time: words.time(ended_at) };
  return withReason(words.say("campaign.ended_by", values), end_reason);
}

function withReason(text, why) {
  return why ? `${text} · ${words.say("campaign.why", { why })}` : text;
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
