// What the map shows: a switch for each layer, remembered on this device.
import { words } from "./frame.js";
import { el } from "./page.js";

const STORED = "zhixun-layers";

export class LayerSwitches {
  // `layers` by name: {on, show}; `show` is called with whether the layer is on, now and later.
  constructor(node, button, layers) {
    Object.assign(this, { node, button, layers });
    const kept = stored();
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", words.say("layers"));
    node.hidden = true;
    button.setAttribute("aria-expanded", "false");
    for (const [name, layer] of Object.entries(layers)) {
      const box = el("input");
      Object.assign(box, { type: "checkbox", name, checked: kept[name] ?? layer.on });
      box.addEventListener("change", () => this.switch(name, box.checked));
      node.append(el("label", "", box, words.say(`layers.${name}`)));
      layer.on = box.checked;
      layer.show(box.checked);
    }
    // Keys of the page stay still while one is in a field.
    node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" || event.key.toLowerCase() === "l") this.toggle(), event.preventDefault();
    });
  }

  toggle() {
    this.node.hidden = !this.node.hidden;
    this.button.setAttribute("aria-expanded", !this.node.hidden);
    if (this.node.hidden) this.button.focus();
    else this.node.querySelector("input").focus();
  }

  switch(name, on) {
    this.layers[name].on = on;
    this.layers[name].show(on);
    const all = Object.entries(this.layers).map(([each, layer]) => [each, layer.on]);
    try {
      localStorage.setItem(STORED, JSON.stringify(Object.fromEntries(all)));
    } catch { /* a browser that keeps nothing shows what it is told until the next visit */ }
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
