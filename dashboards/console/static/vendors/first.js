// @ts-check
// What a vendor that was never heard may send, and why what it sent was refused.
import { copyable } from "../page/dialog.js";
import { el, fill, link } from "../page/dom.js";
import { read, repeat, words } from "../page/frame.js";

/** A card for a vendor until its first message is accepted. @param {Vendor} vendor
 * @param {string} broker why there is no connection to it */
export function firstMessage({ vendor, state, first_message: first, refusals }, broker) {
  const last = refusals.map((each) => each.last).filter((each) => each !== null)
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
  const { field, copy, copied } = copyable(first?.command ?? "", words.say("first.command"));
  return el("section", { className: "first-message", data: { state } },
    el("h2", "", words.say(broker ? "first.no_broker" : `first.${state}`, { vendor })),
    broker && el("p", "wrong", broker),
    last && el("p", "wrong", words.say("first.why", { time: words.time(last.at) }), " ",
      el("span", "", last.detail)),
    last?.payload && el("code", { className: "payload", tabIndex: 0 }, last.payload),
    first && [el("p", "", words.say("first.send")), el("div", "copy-line", field, copy),
      first.command.includes("PASSWORD") && el("p", "dim", words.say("first.user")), copied]);
}

/** Shows in a place what a new station waits for; gone with the first message of anybody. */
export function welcome(/** @type {HTMLElement} */ place) {
  const node = el("div", { className: "welcome", hidden: true });
  place.prepend(node);
  let shown = "", over = false;
  repeat(5000, async () => {
    if (over) return;
    /** @type {Vendors} */ const { vendors, broker } = await read("/vendors");
    over = vendors.some(({ state }) => state === "sending");
    node.hidden = over;
    // What is not new stays as it is: somebody may be copying it.
    const now = JSON.stringify([broker, vendors.map((each) => [each.vendor, each.received])]);
    if (over || now === shown) return;
    shown = now;
    fill(node, vendors.map((each) => firstMessage(each, broker)),
      link("", "/vendors", words.say("first.more")));
  });
}
