// What goes in: files and folders that are dropped or chosen, a text, and what is asked of them.

import { element, fill } from "./dom.js";
import { emotionWords } from "./sentences.js";
import { counted, text } from "./texts.js";

const SUBTITLES = /\.(srt|vtt)$/i;
// texts and pictures, to which no subtitles belong, as for moodal predict
const WITHOUT = /\.(txt|bmp|gif|hei[cf]|jpe?g|png|tiff?|webp)$/i;
const LANGUAGE = /\.[a-z]{2,3}([-_][a-z0-9]{2,8}){0,2}(\.(sdh|cc|forced|hi))?$/i;
const HIDDEN = /(^|\/)\./;

/** Return {element, value} of the panel that takes recordings, see `questionFields`.
 *
 * `take(recordings, question, sentence)` gets them.
 *
 * A recording is {file, subtitles}: subtitles beside it, of the same name, belong to it; the
 * sentence tells of those that belong to none.
 */
export function intake(take, models, learned) {
  const asked = questionFields(models, learned);
  const give = (files) => {
    const recordings = paired(files.filter((file) => !HIDDEN.test(file.path)));
    const question = recordings.length ? asked.value() : null;
    if (question) take(recordings, question, unpairedSentence(recordings));
  };
  const chosen = (event) => {
    give([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  };
  const zone = element(
    "div",
    { class: "drop" },
    element("p", { class: "drop-lead" }, text("drop.lead")),
    element("p", { class: "quiet" }, text("drop.kinds")),
    element(
      "p",
      { class: "drop-buttons" },
      element("label", { class: "choose primary" }, text("drop.files"), element("input", { type: "file", multiple: true, id: "files", onchange: chosen })),
      element("label", { class: "choose" }, text("drop.folder"), element("input", { type: "file", webkitdirectory: true, id: "folder", onchange: chosen })),
    ),
  );
  listenToDrops(zone, give);
  const panel = element(
    "section",
    { class: "panel", "aria-label": text("drop") },
    zone,
    asked.element,
    typedText(take, asked),
  );
  return { element: panel, value: asked.value };
}

function questionFields(models, learned) {
  const emotions = element("input", { id: "emotions", name: "emotions", placeholder: text("ask.emotions.default"), autocomplete: "off", spellcheck: "false" });
  const language = element("input", { name: "language", placeholder: text("ask.language.default"), size: 20, autocomplete: "off" });
  const speakers = choice("speakers", ["", "auto", "channels"], "ask.speakers");
  const faces = choice("faces", ["", "all"], "ask.faces");
  const prior = choice("prior", ["", "talk"], "ask.prior");
  const artefact = element("select", { name: "artefact" }, models.map((name) => element("option", { value: name }, name)));
  const labelled = (key, field, about) =>
    element("label", { class: "field" }, element("span", {}, text(key)), field, about ? element("span", { class: "quiet" }, text(about)) : null);
  const message = element("div", { role: "alert" });
  const room = element(
    "div",
    { class: "question" },
    labelled("ask.emotions", emotions, "ask.emotions.about"),
    message,
    element(
      "details",
      {},
      element("summary", {}, text("ask.more")),
      element(
        "div",
        { class: "fields" },
        labelled("ask.speakers", speakers),
        labelled("ask.faces", faces),
        labelled("ask.prior", prior),
        labelled("ask.language", language),
        models.length > 1 ? labelled("ask.model", artefact) : null,
      ),
    ),
  );
  /** Return what is asked, field by field; null where the emotions are no words, which is said. */
  const value = () => {
    const words = emotionWords(emotions.value, learned);
    const wrong = emotions.value.trim() !== "" && !words.length;
    complain(message, wrong ? text("ask.emotions.none", { name: text("ask.emotions") }) : null);
    if (wrong) {
      emotions.focus();
      return null;
    }
    emotions.value = words.join(", ");
    const fields = { emotions, language, speakers, faces, prior };
    if (models.length > 1) fields.artefact = artefact;
    return Object.fromEntries(
      Object.entries(fields)
        .map(([name, field]) => [name, field.value.trim()])
        .filter(([, content]) => content),
    );
  };
  return { element: room, value };
}

/** Return the sentence on subtitles that belong to no recording; null where there are none. */
function unpairedSentence(recordings) {
  const names = recordings.filter(({ file }) => SUBTITLES.test(file.name)).map(({ file }) => file.name);
  const shown = names.length > 3 ? [...names.slice(0, 3), "…"] : names;
  return names.length ? counted("drop.unpaired", names.length, { names: shown.join(", ") }) : null;
}

function choice(name, values, key) {
  return element("select", { name }, values.map((value) => element("option", { value }, text(`${key}.${value || "default"}`))));
}

function typedText(take, asked) {
  const area = element("textarea", { id: "typed", rows: 3 });
  const go = () => {
    const content = area.value.trim();
    const question = content ? asked.value() : null;
    if (!question) return;
    take([{ file: null, text: content }], question, null);
    area.value = "";
  };
  return element(
    "details",
    { class: "typed" },
    element("summary", {}, text("typed")),
    element("label", { class: "field" }, element("span", {}, text("typed.label")), area),
    element("button", { type: "button", onclick: go }, text("typed.go")),
  );
}

/** Put subtitles with the recording of the same name; those without one stand for themselves.
 *
 * Between name and ending may stand a language, as in talk.en.srt.
 */
export function paired(files) {
  const stem = (path) => path.replace(/\.[^./]*$/, "");
  const media = files.filter(({ path }) => !SUBTITLES.test(path));
  const words = new Set(files.filter(({ path }) => SUBTITLES.test(path)));
  const recordings = media.map(({ file, path }) => {
    const near = WITHOUT.test(path) ? [] : [...words];
    const own =
      near.find((one) => stem(one.path) === stem(path)) ??
      near.find((one) => LANGUAGE.test(stem(one.path)) && stem(one.path).replace(LANGUAGE, "") === stem(path));
    words.delete(own);
    return { file, subtitles: own?.file ?? null };
  });
  return [...recordings, ...[...words].map(({ file }) => ({ file, subtitles: null }))];
}

function listenToDrops(zone, give) {
  const hover = (on) => zone.classList.toggle("hover", on);
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      if (zone.isConnected) hover(true);
    });
  }
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? hover(false));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    hover(false);
    if (!zone.isConnected) return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const loose = [...event.dataTransfer.files].map((file) => ({ file, path: file.name }));
    give(entries.length ? (await Promise.all(entries.map(filesOf))).flat() : loose);
  });
}

/** Return the files of a dropped file or folder, with its subfolders. */
async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return files;
    files.push(...(await Promise.all(some.map(filesOf))).flat());
  }
}

/** Return the form of a recording and what is asked of it. */
export function formOf(recording, question) {
  const form = new FormData();
  if (recording.file) form.append("file", recording.file, recording.file.name);
  else form.append("text", recording.text);
  if (recording.subtitles) form.append("subtitles", recording.subtitles, recording.subtitles.name);
  for (const [name, value] of Object.entries(question)) form.append(name, value);
  return form;
}

/** Show a sentence as an error in an element that is read out. */
export function complain(place, message) {
  fill(place, message ? element("p", { class: "error" }, message) : null);
}
