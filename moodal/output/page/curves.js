// Curves of valence and arousal, or of a model's values, drawn by uPlot (vendored).

import { DIMENSION_COLOURS, FURTHER, signed } from "./appearance.js";
import { element, fill, styled, variable } from "./dom.js";
import { lanesOf } from "./recording.js";
import { track } from "./lanes.js";
import { text } from "./texts.js";

const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
const HEIGHT = 96;

/** Return the track of curves; null where a recording has neither dimensions nor values. */
export function curves(model, range, seek) {
  const measures = measuresOf(model);
  if (!measures.length) return null;
  const lanes = lanesOf(model);
  const lines = lanes.flatMap((lane, k) =>
    measures.map((measure) => ({ measure, lane, dash: DASHES[k % DASHES.length] })),
  );
  const host = element("div", {
    class: "curve-host",
    role: "img",
    "aria-label": text("curves.about", { measures: measures.map((m) => m.name).join(", ") }),
  });
  const legend = lines.map(({ measure, lane, dash }) => {
    const line = styled(element("i", { class: dash.length ? "dash" : "line" }), { color: measure.colour });
    return element("div", {}, line, lane.name ? `${measure.name}, ${lane.name}` : measure.name);
  });
  const low = Math.min(...measures.map((m) => m.low));
  const high = Math.max(...measures.map((m) => m.high));
  const names = element("div", { class: "heat-names" }, legend, element("div", { class: "quiet" }, text("curves.range", { low, high }).replaceAll("-", "−")));
  let plot = null;

  function draw() {
    const width = host.clientWidth;
    if (!width) return;
    if (!plot) {
      const data = dataOf(lines);
      plot = new globalThis.uPlot(settings(lines, range, low, high, width), data, host);
      plot.over.addEventListener("click", (event) => {
        const box = plot.over.getBoundingClientRect();
        seek(range.second((event.clientX - box.left) / box.width));
      });
    }
    if (plot.width !== width) plot.setSize({ width, height: HEIGHT });
    plot.setScale("x", { min: range.state.from, max: range.state.to });
  }

  const panel = track(names, host, "curves", text("curves"));
  return {
    element: panel,
    draw,
    restyle() {
      fill(host);
      plot?.destroy();
      plot = null;
      draw();
    },
  };
}

function measuresOf(model) {
  if (model.values.length) {
    return model.values.map((value, i) => ({
      name: value.name,
      low: value.low,
      high: value.high,
      colour: DIMENSION_COLOURS[value.name] ?? FURTHER[i % FURTHER.length],
      of: (row) => row.source.values?.[value.name],
    }));
  }
  if (!model.rows.some((row) => row.headline)) return [];
  return ["valence", "arousal"].map((name) => ({
    name,
    low: -1,
    high: 1,
    colour: DIMENSION_COLOURS[name],
    of: (row) => row.headline?.[name],
  }));
}

/** Return uPlot's columns: a step from start to end of each row, and a gap after it. */
function dataOf(lines) {
  const parts = lines.map(({ measure, lane }) => {
    const xs = [];
    const ys = [];
    for (const row of lane.rows) {
      const number = measure.of(row);
      if (number === undefined || number === null) continue;
      xs.push(row.from, row.to - 1e-4, row.to);
      ys.push(number, number, null);
    }
    return [xs, ys];
  });
  return globalThis.uPlot.join(parts, parts.map((part) => part.map(() => 2)));
}

function settings(lines, range, low, high, width) {
  const line = variable("--line");
  const grid = { stroke: line, width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [6, 0, 6, 0],
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 5 } },
    legend: { show: false },
    scales: {
      x: { time: false, range: () => [range.state.from, range.state.to] },
      y: { range: () => [low, high] },
    },
    axes: [
      { show: false },
      { show: true, size: 0, grid, ticks: { show: false }, values: (_, all) => all.map(() => ""), splits: () => [low, (low + high) / 2, high] },
    ],
    series: [
      {},
      ...lines.map(({ measure, dash }) => ({
        label: measure.name,
        stroke: brighter(measure.colour),
        width: 2.5,
        dash,
        points: { show: false },
        value: (_, number) => (number === null ? "" : signed(number, 2)),
      })),
    ],
  };
}

/** Return a colour that is seen on the page's ground: lighter in the dark. */
function brighter(colour) {
  if (variable("--dark") !== "1") return colour;
  const parts = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return `rgb(${parts.map((c) => Math.round(c + (255 - c) * 0.35)).join(",")})`;
}
