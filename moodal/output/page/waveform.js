// The waveform: the lowest and highest sample of each span of the sound.

import { element, pen, variable } from "./dom.js";
import { track } from "./lanes.js";
import { text } from "./texts.js";

/** Return the track of the waveform; null of a recording without sound. */
export function waveform(model, range) {
  if (!model.waveform.length || !model.timed) return null;
  const canvas = element("canvas", { class: "wave", role: "img", "aria-label": text("waveform.about") });
  return { element: track(text("waveform"), canvas, "sound"), draw: () => drawWave(canvas, model, range) };
}

function drawWave(canvas, model, range) {
  const { context, width, height } = pen(canvas);
  const samples = model.waveform;
  const spans = samples.length / 2;
  const perSecond = spans / model.length;
  let loudest = 8; // of 127, so that silence stays flat
  for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
  const scale = (height / 2 - 1) / loudest;
  context.fillStyle = variable("--wave");
  for (let x = 0; x < width; x += 1) {
    const first = Math.floor(range.second(x / width) * perSecond);
    const last = Math.max(first + 1, Math.ceil(range.second((x + 1) / width) * perSecond));
    let low = 0;
    let high = 0;
    for (let i = Math.max(0, first); i < Math.min(spans, last); i += 1) {
      low = Math.min(low, samples[2 * i]);
      high = Math.max(high, samples[2 * i + 1]);
    }
    const top = height / 2 - high * scale;
    context.fillRect(x, top, 1, Math.max(1, (high - low) * scale));
  }
}
