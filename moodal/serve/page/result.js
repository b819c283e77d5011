// The answer of a job: the view of its recording, other emotion words, corrections and exports.

import { ask, askJson } from "./api.js";
import { correctedRecording, correctionForm } from "./corrections.js";
import { element, fill, keep } from "./dom.js";
import { draftsOf } from "./drafts.js";
import { emotionWords, inPageWords, recordingInPageWords } from "./sentences.js";
import { text } from "./texts.js";
import { showRecording } from "./view.js";

const EXPORTS = [
  ["json", ".json"],
  ["csv", ".csv"],
  ["eaf", ".eaf"],
  ["textgrid", ".TextGrid"],
  ["srt", ".srt"],
  ["jsonl", ".jsonl"],
  ["rttm", ".rttm"],
];
const CORRECTED = [
  ["csv", ".csv"],
  ["eaf", ".eaf"],
  ["textgrid", ".TextGrid"],
];

/** Show the answer of a job in an element; returns what closes it. */
export async function showJob(room, job) {
  const state = { recording: null, view: null, scored: false, words: "" };
  const drafts = draftsOf(job.id);
  const message = element("div", { role: "status", class: "told" });
  const media = job.file ? { url: URL.createObjectURL(job.file) } : null;
  const place = element("div", {});
  const tools = element("div", { class: "panel tools" });
  fill(room, message, place);
  const path = `/v1/jobs/${encodeURIComponent(job.id)}`;

  function show(answer, scored = false) {
    const recording = recordingInPageWords(answer);
    Object.assign(state, { recording, scored });
    fill(tools, words(), exports_());
    if (state.view && state.view.model().kind === recording.kind) state.view.update(recording);
    else {
      state.view?.leave(); // its player is of another kind, as of a film with an unknown ending
      state.view = showRecording(place, recording, {
        media,
        missing: text("player.gone", { name: job.name }),
        chosen: (file) => {
          job.file = file;
        },
        tools: [tools],
        correction,
        drafted: ({ source }) => finished() && drafts.has(source.id),
      });
    }
  }

  const finished = () => job.status === "done";

  function correction(utterance) {
    if (!finished() || state.recording.values?.length) return null;
    const drafted = (one, on) => state.view.markDraft(one.utterance, on);
    if (!state.scored) return correctionForm(job, state.recording, utterance, { drafts, drafted, changed: showResult });
    const back = element("button", { type: "button", onclick: () => work(() => showResult()) }, text("score.back"));
    return element("div", { class: "correction" }, element("p", { class: "quiet" }, text("correct.own")), element("p", {}, back));
  }

  function words() {
    const field = element("input", { id: "other-emotions", value: state.recording.emotions.join(", "), autocomplete: "off", spellcheck: "false" });
    const score = async (event) => {
      event.preventDefault();
      await work(async () => {
        const words = emotionWords(field.value, state.recording.emotions).join(", ");
        if (!words) throw new Error(text("score.none", { name: text("score.label") }));
        fill(message, element("p", {}, text("score.running")));
        const answer = await askJson(`${path}/score`, { method: "POST", body: { emotions: words } });
        state.words = words;
        fill(message);
        show(answer.recordings[0], true);
        document.getElementById("other-emotions").focus();
      });
    };
    return element(
      "form",
      { class: "row", onsubmit: score },
      element("label", { class: "field wide" }, element("span", {}, text("score.label")), field),
      element("button", { type: "submit", disabled: !finished() || state.recording.values?.length > 0 }, text("score")),
    );
  }

  function exports_() {
    const select = element(
      "select",
      { id: "export" },
      element("optgroup", { label: text("export.answers") }, EXPORTS.map(([format]) => element("option", { value: format }, text(`export.${format}`)))),
      element("optgroup", { label: text("export.corrected") }, CORRECTED.map(([format]) => element("option", { value: `corrected ${format}` }, text(`export.corrected.${format}`)))),
    );
    const save = () =>
      work(async () => {
        const [corrected, format] = select.value.startsWith("corrected ") ? [true, select.value.slice(10)] : [false, select.value];
        const address = corrected
          ? `/v1/corrections?format=${format}&job=${encodeURIComponent(job.id)}`
          : `${path}/result?format=${format}`;
        // what is saved is what is shown, also for other words
        const scored = state.scored && !corrected;
        const question = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ emotions: state.words }) };
        const answer = scored ? await ask(`${path}/score?format=${format}`, question) : await ask(address);
        const content = await answer.text();
        const ending = EXPORTS.find(([name]) => name === format)[1];
        const stem = job.name.replace(/\.[^.]*$/, "") || "moodal";
        if (corrected && drafts.count()) fill(message, element("p", {}, text("draft.left", { numbers: draftNumbers() })));
        keep(content, `${stem}${corrected ? ".corrected" : ""}${ending}`, "application/octet-stream");
      });
    return element(
      "div",
      { class: "row" },
      element("label", { class: "field" }, element("span", {}, text("export")), select),
      element("button", { type: "button", id: "export-go", disabled: !finished(), onclick: save }, text("export.go")),
    );
  }

  async function work(action) {
    fill(message);
    try {
      await action();
    } catch (error) {
      fill(message, element("p", { class: "error" }, error.message));
    }
  }

  /** Return the numbers of the utterances with drafts. */
  function draftNumbers() {
    const numbers = state.view.model().utterances.filter(({ source }) => drafts.has(source.id)).map(({ number }) => number);
    return numbers.join(", ");
  }

  /** Show the corrected result, and the utterance of an id. */
  async function showResult(id = null) {
    show(await correctedRecording(job));
    const place = state.recording.utterances.findIndex((one) => one.id === id);
    if (place >= 0 && place !== state.view.chosen()) state.view.choose(place);
  }

  const soFar = () => {
    if (finished()) return void work(() => showResult());
    if (job.status === "failed") return void fill(message, element("p", { class: "error" }, inPageWords(job.error)));
    fill(message, element("p", {}, text("job.running.about")));
    show(partial(job));
  };
  const listener = throttled(soFar, 700);
  if (!finished()) job.listeners.add(listener);
  if (finished()) await work(() => showResult());
  else soFar();
  return () => {
    job.listeners.delete(listener);
    listener.stop();
    state.view?.close();
    if (media) URL.revokeObjectURL(media.url);
  };
}

/** Return a recording of the answers that have come so far. */
export function partial(job) {
  const emotions = Object.keys(job.answers[0]?.probabilities ?? {});
  const type = job.file?.type ?? "";
  return {
    path: job.name,
    kind: type.startsWith("video") ? "video" : type.startsWith("image") ? "image" : "audio",
    duration: job.progress?.duration ?? null,
    emotions,
    values: [],
    absent: {},
    notes: [],
    artefact: {},
    utterances: [...job.answers].sort((a, b) => (a.start ?? 0) - (b.start ?? 0)),
  };
}

/** Return a function that runs an action once in a pause, however often it is called; its `stop`
 * takes back what is still to come.
 */
function throttled(action, pause) {
  let timer = null;
  const call = () => {
    timer ??= setTimeout(() => {
      timer = null;
      action();
    }, pause);
  };
  call.stop = () => clearTimeout(timer);
  return call;
}
