// Lanes of emotions: for each person a lane of what was decided, and the probabilities beneath it.

import { UNSURE, inkOn, percent, times } from "./appearance.js";
import { element, pen, styled, variable } from "./dom.js";
import { lanesOf } from "./recording.js";
import { text } from "./texts.js";

const NARROWEST = 0.5; // percent of the width from which on a block has words in it

/** Return the lanes of a recording; `choose(utterance)` is called for a clicked block. */
export function emotionLanes(model, range, choose) {
  const tracks = lanesOf(model).flatMap((lane) => [
    decidedLane(model, range, lane, choose),
    ...(model.emotions.length ? [probabilityLane(model, range, lane)] : []),
  ]);
  return { elements: tracks.map((track) => track.element), draw: () => tracks.forEach((t) => t.draw()) };
}

/** Return one track: its name at the left, and its content over time at the right. */
export function track(name, content, kind, about = "") {
  const head = element("div", { class: "track-name", title: about || name }, name);
  return element("div", { class: `track ${kind}` }, head, element("div", { class: "track-body" }, content));
}

function decidedLane(model, range, lane, choose) {
  const blocks = lane.rows.map((row) => ({ row, button: block(model, row, lane.name, choose) }));
  const list = element(
    "div",
    { class: "blocks", role: "group", "aria-label": lane.name || text("lane.decided") },
    blocks.map((one) => one.button),
  );
  const draw = () => {
    const wide = list.clientWidth || 1;
    for (const { row, button } of blocks) {
      const left = range.place(row.from);
      const right = range.place(row.to);
      button.hidden = right < 0 || left > 1;
      const width = Math.max((right - left) * 100, NARROWEST);
      styled(button, { left: `${left * 100}%`, width: `${width}%` });
      button.dataset.room = roomOf((right - left) * wide, row);
    }
  };
  return { element: track(lane.name || text("lane.decided"), list, "decided"), draw };
}

function block(model, row, person, choose) {
  const colour = row.decided ? model.colours.get(row.shown) : variable("--unsure");
  const label = row.decided ? row.shown : row.shown ? UNSURE : "";
  const shown = row.shown ? `${label} ${row.corrected ? text("corrected") : row.decided ? percent(row.probability) : ""}`.trim() : valueText(row);
  const letter = row.decided ? model.letters.get(row.shown) : "?";
  const place = model.timed ? times(row.from, row.to, model.short) : row.number;
  const words = row.source.text ? `. ${row.source.text}` : "";
  const so_far = row.provisional ? ` (${text("provisional")})` : "";
  const name = `${row.number}, ${person ? `${person}, ` : ""}${place}: ${spoken(row)}${so_far}${words}`;
  const button = element(
    "button",
    {
      type: "button",
      class: `block${row.decided ? "" : " unsure"}${row.provisional ? " provisional" : ""}`,
      "aria-label": name,
      title: name,
      "data-utterance": row.utterance,
      onclick: () => choose(row.utterance, row.from),
    },
    element("span", { class: "block-words" }, shown),
    element("span", { class: "block-word" }, label),
    element("span", { class: "block-letter" }, letter),
  );
  if (row.decided) styled(button, { "--block": colour, "--block-ink": inkOn(colour) });
  return button;
}

/** Return what of its label a block of some pixels can show without cutting it. */
function roomOf(pixels, row) {
  const word = 8 * row.label.length + 12;
  if (pixels > word + 44) return "words";
  if (pixels > word) return "word";
  return pixels > 16 ? "letter" : "none";
}

function valueText(row) {
  return Object.entries(row.source.values ?? {})
    .map(([name, number]) => `${name} ${number.toFixed(2)}`)
    .join(", ");
}

/** Return the answer of a row in words, such as "unsure (anger 41 %)". */
export function spoken(row) {
  if (!row.shown) return valueText(row) || text("nothing");
  const likely = `${row.shown} ${row.corrected ? text("corrected") : percent(row.probability)}`;
  return row.decided ? likely : `${UNSURE} (${likely})`;
}

function probabilityLane(model, range, lane) {
  const canvas = element("canvas", {
    class: "heat",
    role: "img",
    "aria-label": text("lane.probabilities.about", { person: lane.name || model.name }),
  });
  styled(canvas, { height: `${model.emotions.length * ROW}px` });
  const names = element(
    "div",
    { class: "heat-names" },
    model.emotions.map((emotion) =>
      element("div", {}, styled(element("i", { class: "swatch" }), { background: model.colours.get(emotion) }), emotion),
    ),
  );
  const panel = track(names, canvas, "probabilities", text("lane.probabilities"));
  return { element: panel, draw: () => drawHeat(canvas, model, range, lane) };
}

const ROW = 15;

function drawHeat(canvas, model, range, lane) {
  const { context, width } = pen(canvas);
  const line = variable("--line");
  model.emotions.forEach((emotion, i) => {
    context.globalAlpha = 1;
    context.fillStyle = line;
    context.fillRect(0, (i + 1) * ROW - 1, width, 1);
    context.fillStyle = model.colours.get(emotion);
    for (const row of lane.rows) {
      const probability = row.source.probabilities[emotion] ?? 0;
      const left = range.place(row.from) * width;
      const right = range.place(row.to) * width;
      if (right < 0 || left > width || probability < 0.005) continue;
      const height = Math.max(1, probability * (ROW - 2));
      context.globalAlpha = 0.35 + 0.65 * probability;
      context.fillRect(left, (i + 1) * ROW - 1 - height, Math.max(1, right - left), height);
    }
  });
}
