// The zones: how each stands, and what was ordered for them.
import { CampaignList } from "./campaigns.js";
import { config, keys, live, read, repeat, start, unread, words } from "./frame.js";
import { later } from "./live.js";
import { OpenAlerts } from "./openalerts.js";
import { pause, resume, startCampaign } from "./orders.js";
import { button, el } from "./page.js";
import { ZoneList } from "./zonelist.js";

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
