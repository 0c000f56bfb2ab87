// @ts-check
// The inbox: open alerts as they come, and those of the past; beside the list the one selected.
import { button, el, narrow } from "../page/dom.js";
import { asked, config, live, read, setQuery, start, words } from "../page/frame.js";
import { AlertDetail } from "./detail.js";
import { AlertList, followAlerts } from "./list.js";

const PAGE = 100;
const PAST = ["closed", "voided"];

start(async (main) => {
  const body = el("div", "rows"), detail = el("section", "panel detail");
  const count = el("span", "count", "0");
  const notice = el("p", { className: "panel-note", role: "status", hidden: true });
  const more = button("button", words.say("list.more"), () => load({ on: true }));
  const filter = (name, ...options) => {
    const is = { className: "filter", ariaLabel: words.say("list.filter"), name };
    const node = el("select", is, options);
    node.value = asked(name) ?? "";
    if (node.selectedIndex < 0) node.selectedIndex = 0; // not asked, or for what there is not
    node.addEventListener("change", () => {
      setQuery({ [name]: node.selectedIndex ? node.value : null });
      load();
    });
    return node;
  };
  const any = new Option(words.say("alerts.any_rule"), "");
  const rule = filter("rule", any, ...config.rules.map((value) =>
    el("option", { value, title: words.say(`rule_hint.${value}`) }, words.say(`rule.${value}`))));
  const state = filter("state", ...["open", ...PAST, "all"].map((value) =>
    new Option(words.say(`alerts.show.${value}`), value)));
  const from = asked("zone"), zones = from ? [new Option(words.zone(from), from)] : [];
  const zone = filter("zone", new Option(words.say("alerts.any_zone"), ""), ...zones);
  const head = el("div", "panel-head", el("h1", "", words.say("page.alerts")), count,
    el("span", "space"), state, rule, zone);
  main.replaceChildren(el("section", "panel list", head, notice, body, more), detail);
  const shown = new AlertDetail(detail);
  const list = new AlertList(body, {
    onPick: (alert) => narrow.matches || shown.show(alert.alert_id),
    opens: () => narrow.matches, empty: "alerts.none",
  });
  /** @type {Alert[]} */ let open = [];
  /** @type {Alert[]} */ let past = [];
  /** @type {string | null} */ let cursor = null;
  let pages = 1, begun = {};
  const fits = (/** @type {Alert} */ alert) => (!rule.value || alert.rule === rule.value)
    && (!zone.value || alert.zone_id === zone.value);
  function render() {
    const opened = ["open", "all"].includes(state.value) ? open.filter(fits) : [];
    const there = new Set(opened.map((alert) => alert.alert_id));
    const all = [...opened, ...past.filter((alert) => !there.has(alert.alert_id))];
    count.textContent = all.length + (cursor ? "+" : "");
    more.hidden = !cursor;
    list.show(all);
    // Once it is known what is open: the first of it is what somebody came for.
    if (!list.selected && live.said && all.length && !narrow.matches) list.select(all[0].alert_id);
  }

  /** The first pages of what is over, as many as are on the page already: one more with `on`. */
  async function load({ on = false, again = false } = {}) {
    const mine = (begun = {});
    if (!on && !again) [past, cursor, pages] = [[], null, 1];
    if (on) pages += 1;
    render();
    let found = on ? past : [], next = on ? cursor : null, failure = "";
    if (state.value !== "open") {
      try {
        do {
          const page = await read(`/alerts?${query(next)}`);
          if (begun !== mine) return; // something else was asked meanwhile
          found = [...found, ...page.alerts];
          next = page.next_cursor ?? null;
        } while (!on && next && found.length < pages * PAGE);
      } catch (error) {
        if (begun !== mine) return;
        if (on) pages -= 1;
        [found, next, failure] = [past, cursor, words.say("people.failed", { why: error.message })];
      }
    }
    [past, cursor] = [found, next];
    notice.textContent = failure;
    notice.hidden = !failure;
    render();
  }

  function query(cursor) {
    const all = { state: state.value, rule: rule.value, zone_id: zone.value, cursor };
    const given = Object.entries(all).filter(([, value]) => value && value !== "all");
    return new URLSearchParams([["limit", String(PAGE)], ...given]);
  }

  followAlerts((alerts) => {
    open = alerts;
    render();
  });
  live.on("alert", (alert) => {
    if (PAST.includes(alert.state) && state.value !== "open") load({ again: true });
  });
  live.on("coverage", (status) => {
    const known = [...zone.options].find((option) => option.value === status.zone_id);
    if (known) known.text = words.zoneName(status);
    else zone.append(new Option(words.zoneName(status), status.zone_id));
  });
  load();
});
