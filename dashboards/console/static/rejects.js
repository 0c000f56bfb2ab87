// The last messages of a bike that were not accepted, for who has to put them right.
import { read, words } from "./frame.js";
import { el } from "./page.js";

const SHOWN = 10;

export async function showRejects(node, query) {
  const head = el("h2", "", words.say("bike.rejects"));
  query.set("limit", SHOWN);
  try {
    const { rejects } = await read(`/rejects?${query}`);
    node.replaceChildren(head, ...(rejects.length ? rejects.map(rowOf) : [el("p", "dim", words.say("bike.rejects.none"))]));
  } catch {
    node.replaceChildren(head, el("p", "dim", words.say("bike.rejects.failed")));
  }
}

function rowOf(reject) {
  const payload = el("code", "payload", reject.payload);
  payload.tabIndex = 0; // it scrolls
  return el("div", "reject",
    el("div", "", el("b", "", words.say(`reject.${reject.reason}`)), " ", el("code", "dim", reject.reason), el("time", "dim", words.time(reject.received_at))),
    el("p", "", reject.detail, reject.index == null ? "" : ` (${words.say("bike.rejects.item", { n: reject.index + 1 })})`),
    el("small", "", reject.topic), payload);
}
