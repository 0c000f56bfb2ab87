// The inbox: open alerts as they come, and those of the past; beside the list the one selected.
import { AlertDetail } from "./alertdetail.js";
import { AlertList } from "./alertlist.js";
import { live, read, start, words } from "./frame.js";
import { OpenAlerts } from "./openalerts.js";
import { el } from "./page.js";

const PAGE = 100;
const PAST = ["closed", "voided"];

start(async (main) => {
  const body = el("div", "rows"), detail = el("section", "panel detail"), more = el("button", "button", words.say("list.more"));
  const query = new URLSearchParams(location.search);
  const count = el("span", "count", "0");
  const rule = el("select", "filter"), zone = el("select", "filter"), state = el("select", "filter");
  more.type = "button";
  main.replaceChildren(
    el("section", "panel list", el("div", "panel-head", el("h1", "", words.say("page.alerts")), count, el("span", "space"), state, rule, zone), body, more),
    detail,
  );
  const shown = new AlertDetail(detail);
  const list = new AlertList(body, { onPick: (alert) => shown.show(alert.alert_id), acts: 3, empty: "alerts.none" });
  let open = [], past = [], cursor = null;

  const wanted = () => ({ state: state.value, rule: rule.value, zone: zone.value });
  for (const each of ["open", ...PAST, ""]) state.append(new Option(words.say(`alerts.show.${each || "all"}`), each));
  options(rule, "alerts.any_rule", Object.keys(words.config.texts).filter((key) => key.startsWith("rule.")).map((key) => [key.slice(5), words.say(key)]));
  state.value = query.get("state") ?? "open";
  for (const node of [state, rule, zone]) node.setAttribute("aria-label", words.say("list.filter"));

  function fits(alert) {
    const want = wanted();
    return (!want.rule || alert.rule === want.rule) && (!want.zone || alert.zone_id === want.zone);
  }

  function render() {
    const live_ones = ["open", ""].includes(state.value) ? open.filter(fits) : [];
    const there = new Set(live_ones.map((alert) => alert.alert_id));
    const all = [...live_ones, ...past.filter((alert) => !there.has(alert.alert_id))];
    count.textContent = all.length + (cursor ? "+" : "");
    more.hidden = !cursor;
    list.show(all);
    // Once it is known what is open: the first of it is what somebody came for.
    if (!list.selected && live.said && all.length && innerWidth > 860) list.select(all[0].alert_id);
  }

  async function load({ on = false } = {}) {
    const want = wanted();
    if (!on) [past, cursor] = [[], null];
    if (want.state !== "open") {
      const asked = new URLSearchParams({ limit: PAGE });
      for (const [name, value] of [["state", want.state], ["rule", want.rule], ["zone_id", want.zone], ["cursor", on && cursor]]) {
        if (value) asked.set(name, value);
      }
      const answer = await read(`/alerts?${asked}`).catch(() => ({ alerts: [] }));
      past = [...past, ...answer.alerts];
      cursor = answer.next_cursor ?? null;
    }
    render();
  }

  for (const node of [state, rule, zone]) node.addEventListener("change", () => load());
  more.addEventListener("click", () => load({ on: true }));
  new OpenAlerts((alerts) => {
    open = alerts;
    render();
  });
  live.on("alert", (alert) => PAST.includes(alert.state) && state.value !== "open" && load());
  live.on("coverage", (status) => {
    if ([...zone.options].some((option) => option.value === status.zone_id)) return;
    if (!zone.options.length) zone.append(new Option(words.say("alerts.any_zone"), ""));
    zone.append(new Option(words.zoneName(status), status.zone_id));
  });
  load();
});

function options(node, any, pairs) {
  node.append(new Option(words.say(any), ""), ...pairs.map(([value, text]) => new Option(text, value)));
}
