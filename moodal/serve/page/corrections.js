// Corrections: another label, or other words, of an utterance. The server keeps them.

import { askJson } from "./api.js";
import { UNSURE } from "./appearance.js";
import { element, fill } from "./dom.js";
import { text } from "./texts.js";

const NAME = "moodal.annotator";
const CORRECTED = /^Corrected by /; // the flag that the server gives

/** Return the corrected recording of a job that is done; without corrections, the answer itself. */
export async function correctedRecording(job) {
  const address = `/v1/corrections?${new URLSearchParams({ job: job.id, format: "json" })}`;
  return (await askJson(address)).recordings[0];
}

/** Return the form that corrects an utterance of a job's recording.
 *
 * `changed()` shows the recording again after each change.
 */
export function correctionForm(job, recording, utterance, changed) {
  const { source } = utterance;
  const label = source.decided[0] ?? UNSURE;
  const corrected = recording.utterances.some((one) => one.flags.some((flag) => CORRECTED.test(flag)));
  const emotion = element(
    "select",
    { class: "correct-label" },
    [...recording.emotions, UNSURE].map((one) => element("option", { value: one, selected: one === label }, one)),
  );
  const words = element("textarea", { rows: 2, class: "correct-words" });
  words.value = source.text ?? "";
  const name = element("input", {
    value: annotator(),
    autocomplete: "off",
    onchange: (event) => localStorage.setItem(NAME, event.target.value.trim()),
  });
  const message = element("div", { role: "status" });

  const send = (kind, content) =>
    askJson("/v1/corrections", {
      method: "POST",
      body: { job: job.id, id: source.id, kind, new: content, annotator: annotator() },
    });

  async function save() {
    if (emotion.value !== label) await send("emotion", emotion.value);
    const content = words.value.trim().replace(/\s+/g, " ");
    if (content !== (source.text ?? "")) await send("text", content);
  }

  const undo = () =>
    askJson(`/v1/corrections/last?${new URLSearchParams({ annotator: annotator(), job: job.id })}`, { method: "DELETE" });

  async function work(action, done) {
    fill(message);
    try {
      await action();
      await changed();
      // the form was drawn anew
      document.querySelector(".correction [role=status]")?.replaceChildren(done);
    } catch (error) {
      fill(message, element("p", { class: "error" }, error.message));
    }
  }

  return element(
    "form",
    {
      class: "correction",
      onsubmit: (event) => {
        event.preventDefault();
        work(save, text("correct.saved"));
      },
    },
    element("h3", {}, text("correct")),
    element("label", { class: "field" }, element("span", {}, text("correct.label")), emotion),
    element("label", { class: "field" }, element("span", {}, text("correct.words")), words),
    element("label", { class: "field" }, element("span", {}, text("correct.name")), name),
    element(
      "p",
      { class: "row" },
      element("button", { type: "submit", class: "primary" }, text("correct.save")),
      element("button", { type: "button", class: "undo", disabled: !corrected, onclick: () => work(undo, text("correct.undone")) }, text("correct.undo")),
    ),
    message,
  );
}

function annotator() {
  return localStorage.getItem(NAME) ?? "";
}
