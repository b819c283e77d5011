// The review: one utterance after the other, the least certain first. Each decision is kept by the
// server before the next utterance is shown; strangers' words are text nodes, never markup.

import { askJson } from "./api.js";
import { UNSURE } from "./appearance.js";
import { element, fill } from "./dom.js";
import { draftsOf } from "./drafts.js";
import { setTexts, text } from "./texts.js";

const STEP = 0.05; // seconds by which playing may overrun its end

const state = { queue: null, place: 0, editing: false, sentence: "" };
const root = document.getElementById("review");

const drafts = draftsOf("review"); // words that are typed and not kept, by utterance

const items = () => state.queue.items;
const current = () => items()[state.place];
const draftKey = ({ recording, id }) => `${recording} ${id}`;

/** Replace an utterance of the queue by what the server says of it now. */
function replace(item) {
  const place = items().findIndex((one) => one.item === item.item);
  items()[place] = item;
  return place;
}

/** Go to the next utterance that is not decided, after this one and then from the beginning. */
function onwards() {
  const open = items().map((one, i) => [one, i]).filter(([one]) => !("emotion" in one.decided)).map(([, i]) => i);
  const next = open.find((i) => i > state.place) ?? open[0];
  if (next !== undefined) go(next);
  else show();
}

function go(place) {
  state.place = Math.min(Math.max(place, 0), items().length - 1);
  state.editing = drafts.has(draftKey(current()));
  show();
  play();
}

let working = false;

/** Run an action unless one is running: a key that is pressed before the next utterance is shown is
 * not meant for it.
 */
async function work(action) {
  if (working) return;
  working = true;
  try {
    await action();
  } catch (error) {
    tell(error.message, true);
  } finally {
    working = false;
  }
}

function decide(emotion) {
  const { item } = current();
  work(async () => {
    const answer = await askJson("/v1/corrections", { method: "POST", body: { item, emotion } });
    state.queue.left = answer.left;
    const place = replace(answer.item);
    tell(saved(answer.item, answer.changed));
    if (place === state.place && !state.queue.blind) onwards();
    else if (place === state.place) show(); // the answer is shown now; Enter goes on
  });
}

function saved(item, changed) {
  const kept = text(changed.length ? "saved" : "same", { label: shownEmotion(item.decided.emotion) });
  return item.answer ? `${kept} ${text("model", { label: shownEmotion(item.answer.label) })}` : kept;
}

function keepWords(content) {
  const { item } = current();
  const key = draftKey(current());
  work(async () => {
    const answer = await askJson("/v1/corrections", { method: "POST", body: { item, text: content } });
    drafts.set(key, null);
    replace(answer.item);
    state.editing = false;
    tell(text(answer.changed.length ? "saved" : "same", { label: content || text("nowords") }));
    show();
  });
}

function undo() {
  work(async () => {
    const answer = await askJson("/v1/corrections/last", { method: "DELETE" });
    state.queue.left = answer.left;
    const place = replace(answer.item);
    tell(text("undone", { id: answer.item.id }));
    go(place);
  });
}

/** Agree with the model; in a blind review there is nothing to agree with, and Enter goes on. */
function agree() {
  const item = current();
  if (state.queue.blind || !item.answer) return "emotion" in item.decided ? onwards() : undefined;
  return decide(item.answer.label);
}

function tell(sentence, failed = false) {
  state.sentence = sentence;
  const place = document.getElementById("message");
  if (!place) return;
  place.textContent = sentence;
  place.className = failed ? "error" : "quiet";
}

const shownEmotion = (emotion) => (emotion === UNSURE ? text("unsure") : emotion);

/** Play the utterance from its start, and stop at its end. */
function play() {
  const media = document.getElementById("media");
  if (!media || !media.play) return;
  const { start, end } = current();
  const begin = () => {
    media.currentTime = start ?? 0;
    media.play().catch(() => {}); // a browser may ask for a click first
  };
  media.ontimeupdate = () => {
    if (end !== null && media.currentTime >= end + STEP) media.pause();
  };
  if (media.readyState > 0) begin();
  else media.onloadedmetadata = begin;
}

function stopOrPlay() {
  const media = document.getElementById("media");
  if (media?.play && !media.paused) media.pause();
  else play();
}

function show() {
  const item = current();
  const done = state.queue.total - state.queue.left;
  fill(
    root,
    element(
      "header",
      { class: "review-head" },
      element("h1", {}, text("title"), state.queue.annotator ? `: ${state.queue.annotator}` : ""),
      element("p", { class: "quiet", id: "count" }, text("left", { done, total: state.queue.total })),
      element("progress", { class: "review-bar", max: state.queue.total, value: done, "aria-label": text("left", { done, total: state.queue.total }) }),
    ),
    ...state.queue.notes.map((note) => element("p", { class: "warning" }, note)),
    draftsLeft(item),
    state.queue.left ? "" : element("p", { class: "panel", id: "done" }, text("done", { total: state.queue.total })),
    element("section", { class: "panel", "aria-label": item.id }, about(item), playing(item), wordsOf(item), emotions(item)),
    controls(),
    element("p", { id: "message", role: "status", class: "quiet" }, state.sentence),
    keys(),
  );
}

/** Return the sentence on other utterances whose words were typed and not kept. */
function draftsLeft(shown) {
  const places = items().map((one, i) => [one, i]).filter(([one]) => one !== shown && drafts.has(draftKey(one)));
  if (!places.length) return "";
  const buttons = places.map(([one, i]) => element("button", { type: "button", class: "small", onclick: () => go(i) }, one.id));
  return element("p", { class: "warning", id: "drafts" }, text("drafts.left"), " ", buttons);
}

function about(item) {
  const parts = [item.id, item.person, item.start === null ? null : `${item.start.toFixed(1)} – ${item.end.toFixed(1)} s`];
  return element("p", { class: "quiet" }, parts.filter(Boolean).join(" · "));
}

function playing(item) {
  const known = { video: "video", audio: "audio", image: "img" }[item.kind];
  if (!known) return null;
  if (!item.media) return element("p", { class: "quiet" }, text("unplayable"));
  const lost = () => media.replaceWith(element("p", { class: "quiet" }, text("unplayable")));
  const media = element(known, { id: "media", src: item.media, onerror: lost, controls: known !== "img", preload: "metadata", alt: known === "img" ? item.id : null });
  const again = known === "img" || item.start === null ? null : element("button", { type: "button", id: "play", onclick: play }, text("heard", { start: item.start.toFixed(1), end: item.end.toFixed(1) }), " ", element("kbd", {}, "Space"));
  return element("div", { class: "review-media" }, media, again);
}

function wordsOf(item) {
  const content = item.decided.text ?? item.text ?? "";
  if (!state.editing) {
    return element(
      "div",
      { class: "review-words" },
      element("p", { id: "words" }, content ? `“${content}”` : text("nowords"), " "),
      element("button", { type: "button", class: "small", onclick: edit }, text("edit"), " ", element("kbd", {}, "T")),
    );
  }
  const area = element("textarea", { id: "edit", rows: 2, "aria-label": text("words") });
  area.value = drafts.get(draftKey(item)) ?? content;
  const note = element("p", { class: "quiet", id: "draft", hidden: area.value === content }, element("span", { class: "flagged" }, text("draft")), " ", text("draft.about"));
  const keep = () => keepWords(area.value);
  area.addEventListener("input", () => {
    const changed = area.value !== content;
    drafts.set(draftKey(item), changed ? area.value : null);
    note.hidden = !changed;
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      keep();
    }
    if (event.key === "Escape") {
      drafts.set(draftKey(item), null);
      state.editing = false;
      show();
    }
  });
  return element("div", { class: "review-words" }, area, note, element("button", { type: "button", onclick: keep }, text("keep")));
}

function edit() {
  state.editing = true;
  show();
  document.getElementById("edit").focus();
}

/** Return the key of each emotion: the digits, then letters that no other key uses. */
function keyOf(place) {
  return "1234567890acdefghijkmoqrsvwxy"[place] ?? "";
}

function emotions(item) {
  const answer = item.answer;
  const choices = [...item.emotions, UNSURE].map((emotion, i) => {
    const percent = answer && emotion in answer.probabilities ? `${Math.round(100 * answer.probabilities[emotion])} %` : "";
    const key = emotion === UNSURE ? "U" : keyOf(i).toUpperCase();
    return element(
      "button",
      {
        type: "button",
        class: `review-emotion${answer?.label === emotion ? " model" : ""}`,
        "aria-pressed": String(item.decided.emotion === emotion),
        "data-emotion": emotion,
        onclick: () => decide(emotion),
      },
      element("kbd", {}, key),
      shownEmotion(emotion),
      element("span", { class: "percent" }, percent),
    );
  });
  const judgement = answer ? text("model", { label: shownEmotion(answer.label) }) : text("blind");
  const flags = answer?.flags ?? [];
  return element(
    "div",
    {},
    element("p", { id: "answer", class: "quiet" }, judgement, ...flags.map((flag) => ` ${flag}`)),
    element("div", { class: "review-emotions", role: "group", "aria-label": text("title") }, choices),
  );
}

function controls() {
  const answer = current().answer;
  const agreeing = state.queue.blind || !answer ? text("next") : text("agree", { label: shownEmotion(answer.label) });
  return element(
    "div",
    { class: "review-row" },
    element("button", { type: "button", id: "agree", class: "primary", disabled: state.queue.blind && !answer, onclick: agree }, agreeing, " ", element("kbd", {}, "Enter")),
    element("button", { type: "button", id: "undo", onclick: undo }, text("undo"), " ", element("kbd", {}, "Z")),
    element("button", { type: "button", id: "previous", onclick: () => go(state.place - 1) }, text("previous"), " ", element("kbd", {}, "←")),
    element("button", { type: "button", id: "next", onclick: () => go(state.place + 1) }, text("next"), " ", element("kbd", {}, "→")),
    element("a", { class: "button", href: "/v1/corrections?format=csv", download: "corrections.csv" }, text("export")),
  );
}

function keys() {
  return element("p", { class: "review-keys" }, `${text("keys")}: 1–9, U, Enter, Z, T, Space, ←, →`);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const inside = event.target.closest?.("textarea, input, select, video, audio");
  if (inside) return;
  const onButton = event.target.closest?.("button, a");
  const actions = {
    " ": onButton ? null : stopOrPlay,
    Enter: onButton ? null : agree,
    Backspace: undo,
    ArrowLeft: () => go(state.place - 1),
    ArrowRight: () => go(state.place + 1),
    t: edit,
    u: () => decide(UNSURE),
    z: undo,
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const chosen = current().emotions.find((_, i) => keyOf(i) === key);
  const action = Object.hasOwn(actions, key) ? actions[key] : chosen && (() => decide(chosen));
  if (!action) return;
  event.preventDefault();
  action();
}

async function begin() {
  try {
    const [shared, own] = await Promise.all(["texts", "review.texts"].map((name) => askJson(`/static/${name}.en.json`)));
    setTexts({ ...shared, ...own });
    state.queue = await askJson("/v1/review/queue");
  } catch (error) {
    fill(root, element("p", { class: "error" }, error.message));
    return;
  }
  document.addEventListener("keydown", onKey);
  state.place = -1;
  const open = items().findIndex((one) => !("emotion" in one.decided));
  state.place = Math.max(open, 0);
  state.editing = drafts.has(draftKey(current()));
  show();
}

begin();
