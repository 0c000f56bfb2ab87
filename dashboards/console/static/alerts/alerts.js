// @ts-check
// The inbox: open alerts as they come, and those of the past; beside the list the one selected.
import { el } from "../page/dom.js";
import { live, read, start, words } from "../page/frame.js";
import { AlertDetail } from "./detail.js";
import { AlertList, OpenAlerts } from "./list.js";

const PAGE = 100;
const narrow = matchMedia("(max-width: 860px)"); // the list alone, as in the style
const PAST = ["closed", "voided"];

start(async (main) => {
  const body = el("div", "rows"), detail = el("section", "panel detail"), more = el("button", "button", words.say("list.more"));
  const query = new URLSearchParams(location.search);
  const count = el("span", "count", "0");
  const rule = el("select", "filter"), zone = el("select", "filter"), state = el("select", "filter");
  const notice = el("p", "panel-note");
  notice.setAttribute("role", "status");
  notice.hidden = true;
  more.type = "button";
  main.replaceChildren(
    el("section", "panel list", el("div", "panel-head", el("h1", "", words.say("page.alerts")), count, el("span", "space"), state, rule, zone), notice, body, more),
    detail,
  );
  const shown = new AlertDetail(detail);
  const list = new AlertList(body, { onPick: (alert) => narrow.matches || shown.show(alert.alert_id), opens: () => narrow.matches, acts: 3, empty: "alerts.none" });
  let open = [], past = [], cursor = null, pages = 1, begun = null;

  const wanted = () => ({ state: state.value, rule: rule.value, zone: zone.value });
  for (const each of ["open", ...PAST, ""]) state.append(new Option(words.say(`alerts.show.${each || "all"}`), each));
  options(rule, "alerts.any_rule", words.config.rules.map((name) => [name, words.say(`rule.${name}`)]));
  for (const option of rule.options) if (option.value) option.title = words.say(`rule_hint.${option.value}`);
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
    if (!list.selected && live.said && all.length && !narrow.matches) list.select(all[0].alert_id);
  }

  // The first pages of what is over, as many as are on the page already: one more with `on`.
  async function load({ on = false, again = false } = {}) {
    const want = wanted(), asked = (begun = {});
    if (!on && !again) [past, cursor, pages] = [[], null, 1];
    if (on) pages += 1;
    render();
    let found = on ? past : [], next = on ? cursor : null, failure = "";
    if (want.state !== "open") {
      try {
        do {
          const page = await read(`/alerts?${queryOf(want, next)}`);
          if (begun !== asked) return; // something else was asked meanwhile
          found = [...found, ...page.alerts];
          next = page.next_cursor ?? null;
        } while (!on && next && found.length < pages * PAGE);
      } catch (error) {
        if (begun !== asked) return;
        if (on) pages -= 1;
        [found, next, failure] = [past, cursor, words.say("people.failed", { why: error.message })];
      }
    }
    [past, cursor] = [found, next];
    notice.textContent = failure;
    notice.hidden = !failure;
    render();
  }

  for (const node of [state, rule, zone]) node.addEventListener("change", () => load());
  more.addEventListener("click", () => load({ on: true }));
  new OpenAlerts((alerts) => {
    open = alerts;
    render();
  });
  live.on("alert", (alert) => PAST.includes(alert.state) && state.value !== "open" && load({ again: true }));
  live.on("coverage", (status) => {
    if ([...zone.options].some((option) => option.value === status.zone_id)) return;
    if (!zone.options.length) zone.append(new Option(words.say("alerts.any_zone"), ""));
    zone.append(new Option(words.zoneName(status), status.zone_id));
  });
  load();
});

function queryOf(want, cursor) {
  const asked = new URLSearchParams({ limit: PAGE });
  for (const [name, value] of [["state", want.state], ["rule", want.rule], ["zone_id", want.zone], ["cursor", cursor]]) {
    if (value) asked.set(name, value);
  }
  return asked;
}

function options(node, any, pairs) {
  node.append(new Option(words.say(any), ""), ...pairs.map(([value, text]) => new Option(text, value)));
}
