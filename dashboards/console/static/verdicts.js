// How a verdict looks: a colour, and a sign for eyes that cannot tell colours.
import { el } from "./page.js";

const LOOKS = {
  ok: ["accent", "✓"], parked: ["off_duty", "P"], inaccurate: ["due", "≈"], teleport: ["overdue", "↯"], too_fast: ["unmeasurable", "»"],
  outside_district: ["hot", "⊘"], off_shift: ["dim", "–"], duplicate: ["dim", "="],
};

// The variable of the style that holds its colour.
export function colorNameOf(verdict) {
  return (LOOKS[verdict] ?? ["dim"])[0];
}

export function verdictMark(verdict) {
  const node = el("span", "verdict-mark", (LOOKS[verdict] ?? ["", "·"])[1]);
  node.style.background = `var(--${colorNameOf(verdict)})`;
  return node;
}
