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
 * `drafts` keep what is typed until it is saved; `drafted(utterance, whether)` is called when there
 * is one, or none any more. `changed(id)` shows the recording again after each change; an id is
 * that of the utterance to be shown.
 */
export function correctionForm(job, recording, utterance, { drafts, drafted, changed }) {
  const { source } = utterance;
  const saved = { emotion: source.decided[0] ?? UNSURE, text: source.text ?? "" };
  const typed = { ...saved, ...drafts.get(source.id) };
  const corrected = recording.utterances.some((one) => one.flags.some((flag) => CORRECTED.test(flag)));
  const emotion = element(
    "select",
    { class: "correct-label" },
    [...recording.emotions, UNSURE].map((one) => element("option", { value: one, selected: one === typed.emotion }, one)),
  );
  const words = element("textarea", { rows: 2, class: "correct-words" });
  words.value = typed.text;
  const name = element("input", {
    value: annotator(),
    class: "correct-name",
    autocomplete: "off",
    onchange: (event) => localStorage.setItem(NAME, event.target.value.trim()),
  });
  const message = element("div", { role: "status" });
  const draft = element(
    "p",
    { class: "draft-note", hidden: !drafts.has(source.id) },
    element("span", { class: "flagged" }, text("draft")),
    " ",
    text("draft.about"),
    " ",
    element("button", { type: "button", class: "small", onclick: discard }, text("draft.discard")),
  );

  /** Return what differs from what is saved. */
  function changes() {
    const now = { emotion: emotion.value, text: inOneLine(words.value) };
    return Object.fromEntries(Object.entries(now).filter(([kind, content]) => content !== inOneLine(saved[kind])));
  }

  function keepDraft() {
    fill(message);
    const some = Object.keys(changes()).length > 0;
    drafts.set(source.id, some ? { emotion: emotion.value, text: words.value } : null);
    draft.hidden = !some;
    drafted(utterance, some);
  }

  function discard() {
    emotion.value = saved.emotion;
    words.value = saved.text;
    keepDraft();
    emotion.focus();
  }

  async function save() {
    const own = changes();
    const body = { job: job.id, id: source.id, annotator: annotator(), ...own };
    const answer = Object.keys(own).length ? await askJson("/v1/corrections", { method: "POST", body }) : { changed: {} };
    drafts.set(source.id, null);
    const some = Object.keys(answer.changed).length > 0;
    return { done: text(some ? "correct.saved" : "correct.same"), id: source.id };
  }

  async function undo() {
    const last = `/v1/corrections/last?${new URLSearchParams({ annotator: annotator(), job: job.id })}`;
    const { id } = await askJson(last, { method: "DELETE" });
    const number = recording.utterances.findIndex((one) => one.id === id) + 1;
    return { done: text("correct.undone", { number }), id };
  }

  async function work(action) {
    fill(message);
    try {
      const { done, id } = await action();
      await changed(id);
      // the form was drawn anew
      document.querySelector(".correction [role=status]")?.replaceChildren(done);
      document.querySelector(".correction .primary")?.focus({ preventScroll: true });
    } catch (error) {
      fill(message, element("p", { class: "error" }, error.message));
    }
  }

  return element(
    "form",
    {
      class: "correction",
      oninput: (event) => event.target !== name && keepDraft(),
      onsubmit: (event) => {
        event.preventDefault();
        work(save);
      },
    },
    element("h3", {}, text("correct")),
    element("label", { class: "field" }, element("span", {}, text("correct.label")), emotion),
    element("label", { class: "field" }, element("span", {}, text("correct.name")), name),
    element("label", { class: "field wide" }, element("span", {}, text("correct.words")), words),
    draft,
    element(
      "p",
      { class: "row" },
      element("button", { type: "submit", class: "primary" }, text("correct.save")),
      element("button", { type: "button", class: "undo", disabled: !corrected, onclick: () => work(undo) }, text("correct.undo")),
    ),
    message,
  );
}

function inOneLine(content) {
  return content.trim().replace(/\s+/g, " ");
}

function annotator() {
  return localStorage.getItem(NAME) ?? "";
}
