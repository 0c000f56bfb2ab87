// What the colours and signs of the map mean.
import { pictureOf } from "./bikemark.js";
import { config, words } from "./frame.js";
import { badge, el } from "./page.js";

export function drawLegend(node) {
  const cells = config.ages.map(({ up_to_s, color }) => {
    const swatch = el("i", "swatch");
    swatch.style.background = color;
    const text = up_to_s == null ? words.say("legend.older") : words.say("legend.within", { age: words.duration(up_to_s) });
    return el("span", "item", swatch, text);
  });
  const bike = (kind, state) => {
    const node = el("span", "bike", pictureOf(state));
    node.dataset.liveness = state.liveness;
    return el("span", "item", node, words.say(`legend.bike_${kind}`));
  };
  const riding = { liveness: "live", heading_deg: 0 };
  node.replaceChildren(
    el("div", "line", ...config.states.map((state) => el("span", "item", badge(state), words.say(`state.${state}`)))),
    el("div", "line", el("b", "", words.say("legend.cells")), ...cells),
    el("div", "line", el("b", "", words.say("legend.bikes")),
      bike("live", riding), bike("standing", { liveness: "live" }), bike("stale", { ...riding, liveness: "stale" }),
      bike("silent", { liveness: "silent" }), bike("offline", { liveness: "offline" }),
      el("span", "item", el("i", "bike-low"), words.say("legend.bike_low"))),
  );
}
