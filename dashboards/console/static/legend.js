// What the colours and signs of the map mean.
import { config, words } from "./frame.js";
import { badge, el, svg } from "./page.js";

export function drawLegend(node) {
  const cells = config.ages.map(({ up_to_s, color }) => {
    const swatch = el("i", "swatch");
    swatch.style.background = color;
    const text = up_to_s == null ? words.say("legend.older") : words.say("legend.within", { age: words.duration(up_to_s) });
    return el("span", "item", swatch, text);
  });
  const bike = (kind) => {
    const arrow = el("span", `bike ${kind}`, svg("0 0 24 24", "M12 2 L19.5 21 L12 16.5 L4.5 21 Z", "bike-arrow"));
    return el("span", "item", arrow, words.say(`legend.bike_${kind}`));
  };
  node.replaceChildren(
    el("div", "line", ...config.states.map((state) => el("span", "item", badge(state), words.say(`state.${state}`)))),
    el("div", "line", el("b", "", words.say("legend.cells")), ...cells, el("span", "apart"), bike("live"), bike("stale")),
  );
}
