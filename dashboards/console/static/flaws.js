// What is wrong with a zone that was drawn, as the API says it, and where: some problems name
// "lng …, lat …".
import { listed } from "./wrong.js";

const PLACE = /lng (-?\d+(?:\.\d+)?), lat (-?\d+(?:\.\d+)?)/;

// The problems of a refusal: [{text, place}], place [lng, lat] or null.
export function flawsOf(problem, words) {
  const told = listed(problem, words) ?? [{ message: "", text: words.problem(problem) }];
  const flaws = new Map(); // two versions of a neighbour can be met at one place
  for (const { message, text } of told) {
    const found = PLACE.exec(message);
    flaws.set(`${text} ${found?.[0]}`, { text, place: found && [Number(found[1]), Number(found[2])] });
  }
  return [...flaws.values()];
}
