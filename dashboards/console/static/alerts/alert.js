// @ts-check
// One alert, with its acts, its history and its evidence.
import { el } from "../page/dom.js";
import { config, keys, start } from "../page/frame.js";
import { AlertDetail } from "./detail.js";
import { bindActs } from "./list.js";

start(async (main) => {
  const box = el("section", "panel detail");
  main.replaceChildren(box);
  const detail = new AlertDetail(box);
  bindActs(() => detail.alert);
  keys.bind("Escape", "keys.back", () => history.back());
  await detail.show(config.page.params.alert_id);
});
