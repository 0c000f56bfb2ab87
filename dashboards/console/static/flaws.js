// What is wrong with a zone, as the API says it, and where: some of it names "lng …, lat …".
const PLACE = /lng (-?\d+(?:\.\d+)?), lat (-?\d+(?:\.\d+)?)/;

// The problems of a refusal: [{text, place}], place [lng, lat] or null.
export function flawsOf(body) {
  const told = body.errors ?? body.problems ?? [{ message: body.detail ?? body.reason }];
  return told.map((each) => {
    const text = each.message ?? String(each), found = PLACE.exec(text);
    return { text, place: found && [Number(found[1]), Number(found[2])] };
  });
}
