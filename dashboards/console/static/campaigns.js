// Campaigns and pauses: what was ordered for which zones, by whom and why.
import { config, read, words } from "./frame.js";
import { endCampaign } from "./orders.js";
import { button, el, zoneLink } from "./page.js";

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
