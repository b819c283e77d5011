// All tracks of a recording beneath one axis: lanes, curves and waveform, with zoom and playhead.

import { clock } from "./appearance.js";
import { curves } from "./curves.js";
import { element, fill, styled } from "./dom.js";
import { emotionLanes } from "./lanes.js";
import { marks } from "./range.js";
import { text } from "./texts.js";
import { waveform } from "./waveform.js";

const MARK = 90; // pixels between marks of the axis

/** Return the panel of tracks; `actions` has choose(index, second), seek(second) and toggle(). */
export function tracks(model, range, actions) {
  const lanes = emotionLanes(model, range, actions.choose);
  const curve = curves(model, range, actions.seek);
  const wave = waveform(model, range);
  const parts = [lanes, curve, wave].filter(Boolean);
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  const head = element("div", { class: "playhead", "aria-hidden": "true" });
  const over = element("div", { class: "playhead-room" }, head);
  const body = element(
    "div",
    { class: "tracks" },
    element("div", { class: "track axis-track" }, element("div", { class: "track-name" }, model.timed ? text("axis") : ""), element("div", { class: "track-body" }, axis)),
    lanes.elements,
    curve?.element,
    wave?.element,
    over,
  );
  const now = element("output", { class: "now" });
  const panel = element(
    "section",
    { class: "panel timeline", "aria-label": text("timeline") },
    controls(model, range, actions, now),
    body,
  );

  function draw() {
    drawAxis(axis, model, range);
    parts.forEach((part) => part.draw());
    drawHead();
  }

  function drawHead() {
    const place = range.place(range.state.now);
    head.hidden = !model.timed || place < 0 || place > 1;
    styled(head, { left: `${100 * place}%` });
    if (model.timed) now.textContent = `${clock(range.state.now, true)} / ${clock(range.state.length, true)}`;
  }

  let waiting = false;
  const deaf = range.listen((what) => {
    if (what === "now") drawHead();
    else if (!waiting) {
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw();
      });
    }
  });
  const sizes = new ResizeObserver(draw);
  sizes.observe(body);
  const dark = globalThis.matchMedia("(prefers-color-scheme: dark)");
  const restyle = () => {
    curve?.restyle();
    draw();
  };
  dark.addEventListener("change", restyle);
  listenToPointer(body, range, actions);
  const close = () => {
    deaf();
    sizes.disconnect();
    dark.removeEventListener("change", restyle);
  };
  return { element: panel, draw, close };
}

function controls(model, range, actions, now) {
  const button = (label, sign, action, kind = "tool") =>
    element("button", { type: "button", class: kind, "aria-label": label, title: label, onclick: action }, sign);
  if (!model.timed) return element("h2", {}, text("timeline"));
  return element(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": text("timeline.tools") },
    element("h2", {}, text("timeline")),
    model.playable ? button(text("tool.play"), "▶", actions.toggle) : null,
    now,
    element("span", { class: "space" }),
    button(text("tool.left"), "←", () => range.pan(-0.5), "tool pan"),
    button(text("tool.right"), "→", () => range.pan(0.5), "tool pan"),
    button(text("tool.in"), "+", () => range.zoom(0.5)),
    button(text("tool.out"), "−", () => range.zoom(2)),
    button(text("tool.all"), text("tool.all.sign"), range.showAll),
  );
}

function drawAxis(axis, model, range) {
  const { from, to } = range.state;
  const room = axis.clientWidth;
  const { step, all } = marks(from, to, room / MARK);
  const ticks = all
    .filter((second) => model.timed || Number.isInteger(second))
    .map((second) => {
      const place = range.place(model.timed ? second : second + 0.5);
      if (place > 1) return null;
      const label = model.timed ? (step < 1 ? clock(second, true) : clock(second)) : String(second + 1);
      const edge = place * room > room - 24 ? " last" : place * room < 12 ? " first" : "";
      return styled(element("span", { class: `mark${edge}` }, label), { left: `${100 * place}%` });
    });
  fill(axis, ticks);
}

/** Seek by a click, zoom by the wheel with Ctrl, move by the wheel with Shift or by its side. */
function listenToPointer(body, range, actions) {
  const secondOf = (event) => {
    const box = body.querySelector(".track-body").getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    return place < 0 || place > 1 ? null : range.second(place);
  };
  body.addEventListener("click", (event) => {
    if (event.target.closest("button") || event.target.closest(".u-over")) return;
    const second = secondOf(event);
    if (second !== null) actions.seek(second);
  });
  body.addEventListener(
    "wheel",
    (event) => {
      const second = secondOf(event);
      if (event.ctrlKey && second !== null) {
        event.preventDefault();
        range.zoom(event.deltaY > 0 ? 1.25 : 0.8, second);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        range.pan(Math.sign(event.deltaX || event.deltaY) * 0.1);
      }
    },
    { passive: false },
  );
}
