// The view of one recording: its player, its tracks, its words, and why the model says so.

import { details } from "./details.js";
import { element, fill } from "./dom.js";
import { faceBoxes } from "./faces.js";
import { keyHelp, listenToKeys } from "./keyboard.js";
import { notes } from "./notes.js";
import { player } from "./player.js";
import { timeRange } from "./range.js";
import { readRecording, utteranceAt } from "./recording.js";
import { counted, text } from "./texts.js";
import { clock } from "./appearance.js";
import { tracks } from "./tracks.js";
import { transcript } from "./transcript.js";

/** Show a recording of a moodal-timeline/1 document in an element.
 *
 * Options: `media` {url} is the recording itself, or null, and `missing` a sentence that says why
 * there is none; `chosen(file)` is told a file that the reader chose instead; `correction(utterance)`
 * returns a form that corrects it, or null; `drafted(utterance)` tells of one with a correction that
 * is not saved; `tools` are elements that stand above the tracks; `live` is whether the recording
 * still goes on, so that there is nothing to play.
 *
 * Returns {model, chosen, choose(index), update(recording), markDraft(index, on), follow(second), leave(),
 * close()}.
 */
export function showRecording(root, recording, { media = null, missing, chosen, correction = null, drafted, tools = [], live = false } = {}) {
  let model = readRecording(recording);
  const range = timeRange(model.length);
  const view = { chosen: null };
  const playing = player(model, media, range, { missing, chosen });
  if (live) playing.element.hidden = true;
  const room = element("div", { class: "view", tabindex: "-1" });

  const actions = {
    toggle: playing.toggle,
    seek(second) {
      if (model.timed) playing.seek(second);
      const utterance = utteranceAt(model, second);
      if (utterance) mark(utterance, false);
    },
    choose(index, second = null) {
      const utterance = model.utterances[index];
      if (!utterance) return;
      if (model.timed) playing.seek(second ?? utterance.from);
      mark(utterance, true);
    },
    play: (utterance) => playing.playSpan(utterance.from, utterance.to),
    correction,
  };

  let parts = build();
  faceBoxes(() => model, range, playing);

  function build() {
    const why = details(model, actions);
    const list = transcript(model, actions.choose, correction && ((index, what) => {
      actions.choose(index);
      room.querySelector(`.correction .correct-${what}`)?.focus();
    }), drafted);
    const lines = tracks(model, range, actions);
    fill(
      room,
      header(model),
      tools,
      element(
        "div",
        { class: "columns" },
        // all of it, so that the column at the side stays in sight to the end of the page
        element("div", { class: "main-column" }, playing.element, lines.element, list.element, notes(model), keyHelp(correction !== null)),
        element("div", { class: "side-column" }, why.element),
      ),
    );
    return { why, list, lines };
  }

  function mark(utterance, scroll) {
    view.chosen = utterance.utterance;
    parts.why.show(utterance);
    for (const marked of room.querySelectorAll("[data-utterance]")) {
      const own = Number(marked.dataset.utterance) === utterance.utterance;
      marked.classList.toggle("chosen", own);
      if (marked.matches("button")) marked.setAttribute("aria-current", own ? "true" : "false");
    }
    if (scroll && range.state.to - range.state.from < range.state.length) {
      if (utterance.from < range.state.from || utterance.to > range.state.to) {
        const width = range.state.to - range.state.from;
        range.show(utterance.from - width / 4, utterance.from + (3 * width) / 4);
      }
    }
  }

  range.listen((what) => {
    if (what !== "now" || !model.timed) return;
    const utterance = utteranceAt(model, range.state.now);
    for (const one of parts.list.items) {
      one.classList.toggle("playing", utterance !== null && Number(one.dataset.utterance) === utterance.utterance && range.state.now < utterance.to);
    }
  });

  const near = (step) => {
    const next = view.chosen === null ? 0 : view.chosen + step;
    actions.choose(Math.min(Math.max(0, next), model.utterances.length - 1));
  };
  const keys = new AbortController();
  listenToKeys(document, {
    toggle: playing.toggle,
    step: (seconds) => model.timed && playing.seek(range.state.now + seconds),
    choose: near,
    span: () => model.timed && view.chosen !== null && actions.play(model.utterances[view.chosen]),
    zoom: (factor) => range.zoom(factor),
    all: range.showAll,
    correct: () => room.querySelector(".correction .correct-label")?.focus(),
  }, keys.signal);

  fill(root, room);
  parts.lines.draw();
  if (model.utterances.length && !live) mark(model.utterances[0], false);

  return {
    model: () => model,
    element: room,
    chosen: () => view.chosen,
    choose: (index) => actions.choose(index),
    /** Show another answer to the same recording; the player, the zoom and the choice stay. */
    update(other) {
      model = readRecording(other);
      range.grow(model.length);
      const chosen = view.chosen;
      parts.lines.close();
      parts = build();
      parts.lines.draw();
      if (chosen !== null && model.utterances[chosen]) mark(model.utterances[chosen], false);
      else if (live && model.utterances.length) parts.why.show(model.utterances.at(-1));
    },
    /** Mark an utterance as one with a correction that is not saved, or take the mark away. */
    markDraft(index, on) {
      for (const tag of room.querySelectorAll(`.utterance[data-utterance="${index}"] .draft`)) tag.hidden = !on;
    },
    /** Put the playhead on a second. */
    follow: (second) => range.setNow(second),
    /** Take the view away; the recording stays for another view. */
    leave() {
      keys.abort();
      parts.lines.close();
      fill(root);
    },
    close() {
      this.leave();
      playing.stop();
    },
  };
}

function header(model) {
  const about = [
    text(`kind.${model.kind}`),
    model.timed && model.source.duration !== null ? clock(model.length, model.short) : null,
    counted(model.kind === "text" ? "sentences" : "utterances", model.utterances.length),
    model.source.prior ? text("prior", { prior: model.source.prior }) : null,
  ].filter(Boolean);
  return element("header", { class: "view-head" }, element("h1", {}, model.name), element("p", { class: "quiet" }, about.join(" · ")));
}
