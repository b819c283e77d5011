// Boxes around the faces of the picture that is shown, in the colour of what was decided.

import { UNSURE, inkOn } from "./appearance.js";
import { element, pen, variable } from "./dom.js";

const NUMBERS = 6; // at, track, left, top, width, height
const APART = 0.3; // seconds from which on a face is not shown any more

/** Draw boxes over a player's picture whenever the second changes; `current()` is the model. */
export function faceBoxes(current, range, playing) {
  const canvas = element("canvas", { class: "boxes", "aria-hidden": "true" });

  function draw() {
    const media = playing.media();
    if (!media || !canvas.isConnected) return;
    const model = current();
    const count = Math.floor(model.places.length / NUMBERS);
    const { context, width, height } = pen(canvas);
    const wide = media.videoWidth ?? media.naturalWidth;
    const high = media.videoHeight ?? media.naturalHeight;
    if (!wide || !high) return;
    const scale = Math.min(width / wide, height / high);
    const left = (width - wide * scale) / 2;
    const top = (height - high * scale) / 2;
    const now = model.timed ? range.state.now : 0;
    for (const place of placesAt(model.places, count, now)) {
      const x = left + place[2] * wide * scale;
      const y = top + place[3] * high * scale;
      drawBox(context, x, y, place[4] * wide * scale, place[5] * high * scale, captionOf(model, place[1], now));
    }
  }

  const place = () => {
    if (playing.media()) playing.stage.append(canvas);
    draw();
  };
  playing.element.addEventListener("media", place);
  range.listen(draw);
  new ResizeObserver(draw).observe(playing.stage);
  place();
}

/** Return the place of each face nearest to a second. */
function placesAt(places, count, now) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle * NUMBERS] < now - APART) low = middle + 1;
    else high = middle;
  }
  const nearest = new Map();
  for (let i = low; i < count && places[i * NUMBERS] <= now + APART; i += 1) {
    const place = places.subarray(i * NUMBERS, (i + 1) * NUMBERS);
    const other = nearest.get(place[1]);
    if (!other || Math.abs(place[0] - now) < Math.abs(other[0] - now)) nearest.set(place[1], place);
  }
  return nearest.values();
}

function captionOf(model, track, now) {
  const at = (row) => !model.timed || (row.from <= now && now < row.to);
  const row = model.rows.find((one) => at(one) && one.source.track === track);
  const who = row?.source.person ?? `face ${track}`;
  if (!row) return { label: model.persons.length ? who : "", colour: variable("--unsure") };
  const label = row.decided ? row.shown : row.shown ? UNSURE : "";
  const colour = row.decided ? model.colours.get(row.shown) : variable("--unsure");
  return { label: model.persons.length ? `${who}: ${label}` : label, colour };
}

function drawBox(context, x, y, width, height, { label, colour }) {
  context.lineWidth = 4;
  context.strokeStyle = "#000000";
  context.strokeRect(x, y, width, height);
  context.lineWidth = 2;
  context.strokeStyle = colour;
  context.strokeRect(x, y, width, height);
  if (!label) return;
  context.font = "600 13px system-ui, sans-serif";
  const wide = context.measureText(label).width + 10;
  const above = y > 20 ? y - 20 : y + height;
  context.fillStyle = colour;
  context.fillRect(x - 1, above, wide, 20);
  context.fillStyle = colour.startsWith("#") ? inkOn(colour) : "#000000";
  context.fillText(label, x + 4, above + 14);
}
